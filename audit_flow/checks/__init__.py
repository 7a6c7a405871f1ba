"""Checks: one file a topic, and this explicit list."""

from audit_flow.checks.announcement import AnnouncementAgrees, AnnouncementBacked
from audit_flow.checks.attested import AttestedVerdictHolds
from audit_flow.checks.base_candidates import BaseCandidates
from audit_flow.checks.base_method import MethodFits
from audit_flow.checks.base_model import BaseModelLineage
from audit_flow.checks.card import CardAgrees
from audit_flow.checks.checksums import ChecksumsMatch
from audit_flow.checks.contamination import (
    Contamination,
    ContaminationChecked,
    DecontaminationShown,
)
from audit_flow.checks.evidence import EvidencePresent
from audit_flow.checks.findings import PublishedFindings, PublishedScores, SmallDifferences
from audit_flow.checks.history import CardClaimsUnchanged, ShardsOfOneUpload, WeightsUnchanged
from audit_flow.checks.hub import BytesRead, HubConsistent
from audit_flow.checks.interface import Check, Result
from audit_flow.checks.lineage import LineageTopic
from audit_flow.checks.openness import BaseTerms, DisclosuresMade, OpennessSupported
from audit_flow.checks.score_reporting import (
    AveragesAddUp,
    BaselinesFair,
    ItemCounts,
    SelectiveReporting,
)
from audit_flow.checks.score_runs import AboveClaim, RunsRecounted, ScoresPossible, StandardErrors
from audit_flow.checks.scores import ScoresReproduced
from audit_flow.checks.served_rows import ProvidersAccepted
from audit_flow.checks.serving import SameModelServed
from audit_flow.checks.signatures import (
    SignaturesEvidence,
    SignaturesIdentity,
    SignaturesValid,
)
from audit_flow.checks.structure import NoPickle, SafetensorsStructure
from audit_flow.checks.tables import TablesAsExpected
from audit_flow.checks.training import JobFinished, TrainingClaims
from audit_flow.checks.training_agreement import NumbersAgree
from audit_flow.checks.training_compute import ComputePossible, ComputeUsual, ThroughputUsual
from audit_flow.checks.training_described import CheckpointsListed, JobDescribed
from audit_flow.checks.training_nodes import NodesWatched
from audit_flow.checks.training_numbers import NumbersPossible
from audit_flow.checks.training_times import TimesInOrder

CHECKS: tuple[Check, ...] = (
    ScoresReproduced(),
    RunsRecounted(),
    StandardErrors(),
    AboveClaim(),
    ScoresPossible(),
    ItemCounts(),
    AveragesAddUp(),
    SelectiveReporting(),
    BaselinesFair(),
    BaseModelLineage(),
    ChecksumsMatch(),
    CardAgrees(),
    EvidencePresent(),
    LineageTopic("datasets"),
    LineageTopic("training"),
    LineageTopic("weights"),
    LineageTopic("evaluations"),
    LineageTopic("pipeline"),
    TrainingClaims(),
    JobFinished(),
    TablesAsExpected(),
    Contamination(),
    ContaminationChecked(),
    DecontaminationShown(),
    JobDescribed(),
    NodesWatched(),
    NumbersPossible(),
    NumbersAgree(),
    TimesInOrder(),
    ComputePossible(),
    ComputeUsual(),
    ThroughputUsual(),
    CheckpointsListed(),
    SafetensorsStructure(),
    NoPickle(),
    SignaturesValid(),
    SignaturesIdentity(),
    SignaturesEvidence(),
    AttestedVerdictHolds(),
    SameModelServed(),
    ProvidersAccepted(),
    PublishedScores(),
    PublishedFindings(),
    SmallDifferences(),
    HubConsistent(),
    BytesRead(),
    WeightsUnchanged(),
    ShardsOfOneUpload(),
    CardClaimsUnchanged(),
    BaseCandidates(),
    MethodFits(),
    OpennessSupported(),
    DisclosuresMade(),
    BaseTerms(),
    AnnouncementAgrees(),
    AnnouncementBacked(),
)

BY_ID: dict[str, Check] = {check.id: check for check in CHECKS}

__all__ = ["BY_ID", "CHECKS", "Check", "Result"]
