"""Every reader, and how a file finds the one that reads it."""

from __future__ import annotations

from audit_flow.collectors.bigcode import BigCode
from audit_flow.collectors.command_record import CommandRecord
from audit_flow.collectors.every_eval_ever import EveryEvalEver
from audit_flow.collectors.gpu_monitor import GpuMonitor
from audit_flow.collectors.helm import Helm
from audit_flow.collectors.inspect_log import InspectLog
from audit_flow.collectors.interface import Family, Reader, SourceFile
from audit_flow.collectors.kubernetes_job import KubernetesJob
from audit_flow.collectors.lighteval import LightEval
from audit_flow.collectors.lm_eval import LmEval04
from audit_flow.collectors.lm_eval_v03 import LmEval03
from audit_flow.collectors.mlperf_log import MlperfLog
from audit_flow.collectors.mlperf_system import MlperfSystem
from audit_flow.collectors.olmes import Olmes
from audit_flow.collectors.reported_results import ReportedResults
from audit_flow.collectors.simple_evals import SimpleEvals
from audit_flow.collectors.slurm_json import SlurmJson
from audit_flow.collectors.slurm_sacct import SlurmSacct
from audit_flow.collectors.step_table import StepTable
from audit_flow.collectors.tensorboard_events import TensorBoardEvents
from audit_flow.collectors.text_log import TextLog
from audit_flow.collectors.trainer_state import TrainerState, TrainResults
from audit_flow.collectors.training_config import TrainingConfiguration
from audit_flow.collectors.wandb_metadata import WandbMetadata
from audit_flow.collectors.wandb_run import WandbRun
from audit_flow.errors import AuditFlowError, EvidenceError
from audit_flow.model import EvalRun, Evidence
from audit_flow.sources.unread import within_bounds

# The first that recognises a file reads it; a configuration is anything that nobody else knows.
READERS: tuple[Reader, ...] = (
    LmEval04(),
    LmEval03(),
    BigCode(),
    InspectLog(),
    LightEval(),
    SimpleEvals(),
    Helm(),
    Olmes(),
    EveryEvalEver(),
    ReportedResults(),
    CommandRecord(),
    TrainerState(),
    TrainResults(),
    MlperfSystem(),
    WandbRun(),
    WandbMetadata(),
    TensorBoardEvents(),
    KubernetesJob(),
    SlurmJson(),
    SlurmSacct(),
    MlperfLog(),
    GpuMonitor(),
    StepTable(),
    # A text is what is left when no table and no events are found in it.
    TextLog(),
    TrainingConfiguration(),
)

MAX_BESIDE = 200


def detect(source: SourceFile, family: Family | None = None) -> Reader:
    """Return the reader of a file, among one family or all.

    Raises EvidenceError naming the known formats when none fits.
    """
    head = source.head()
    known = [r for r in READERS if family in {None, r.family}]
    for reader in known:
        if reader.recognises(source, head):
            return reader
    raise EvidenceError(
        "the format is not known",
        expected=f"one of {', '.join(r.format for r in known)}",
        where=source.path,
        remedy="Name a results file of a known harness",
    )


def read(source: SourceFile, family: Family | None = None) -> tuple[Evidence, ...]:
    """Return what a file says, by whichever reader takes it; see ``read_by``."""
    return read_by(detect(source, family), source)


def read_by(reader: Reader, source: SourceFile) -> tuple[Evidence, ...]:
    """Return what a file says by one reader.

    Raises EvidenceError also for values that no noun takes: endless names, numbers beyond 2^53.
    """
    with within_bounds(reader.format, source.path):
        return reader.read(source)


def owner(source: SourceFile) -> tuple[SourceFile, Reader] | None:
    """Return the results file beside a file of rows that these rows belong to, and its reader."""
    for beside in source.beside("*")[:MAX_BESIDE]:
        if beside.name == source.name:
            continue
        try:
            reader = detect(beside, "evaluation")
            runs = [e for e in read_by(reader, beside) if isinstance(e, EvalRun)]
        except AuditFlowError:
            # Whatever else lies here does not own the rows.
            continue
        if any(r.samples and r.samples.source == source.path for r in runs):
            return beside, reader
    return None
