"""Digests of files and tensors in one read, and the structure of the files they are read from."""

from audit_flow.digests.blake3_parts import blake3_of_file, one_tensor
from audit_flow.digests.cache import DigestCache
from audit_flow.digests.engine import digest_files
from audit_flow.digests.handed import HandedDigests, Row
from audit_flow.digests.manifest import md5_of_directory_manifest, weights_root
from audit_flow.digests.pickles import unsafe_pickle
from audit_flow.digests.plan import ALGORITHMS, FileDigests, FilePlan, TensorDigest
from audit_flow.digests.problem import Problem
from audit_flow.digests.safetensors import Header, TensorSpec, check_structure, read_header
from audit_flow.digests.safetensors_index import INDEX_SUFFIX, check_index

__all__ = [
    "ALGORITHMS",
    "INDEX_SUFFIX",
    "DigestCache",
    "FileDigests",
    "FilePlan",
    "HandedDigests",
    "Header",
    "Problem",
    "Row",
    "TensorDigest",
    "TensorSpec",
    "blake3_of_file",
    "check_index",
    "check_structure",
    "digest_files",
    "md5_of_directory_manifest",
    "one_tensor",
    "read_header",
    "unsafe_pickle",
    "weights_root",
]
