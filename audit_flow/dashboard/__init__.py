"""The dashboard: what a person looks at before an announcement, and where the person decides.

Server-rendered pages over the audits in MLflow; nothing that is shown is believed before it was
hashed again, and nothing that comes from a repository is shown as anything but text.
"""

from audit_flow.dashboard.settings import Settings

__all__ = ["Settings"]
