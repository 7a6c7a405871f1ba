"""What adapters of harnesses share: they are called by their command line, in an interpreter."""

from __future__ import annotations

from audit_flow.errors import AuditFlowError
from audit_flow.model import ConfigValue
from audit_flow.reproduce.child import version_of

from .interface import HarnessOptions


class HarnessAdapter:
    """A harness in the operator's own interpreter, with the operator's options."""

    deterministic = False

    def __init__(self, options: HarnessOptions) -> None:
        self._options = options
        self.bound = options.engine != "endpoint"

    def settings(self) -> tuple[ConfigValue, ...]:
        """Return the settings that a result may depend on."""
        return self._options.shown()

    def _missing(self, package: str) -> str | None:
        """Return what the options or the interpreter lack for it to be called."""
        options = self._options
        if options.engine == "endpoint" and not (options.endpoint and options.endpoint_model):
            return "an endpoint needs --endpoint URL and --endpoint-model NAME"
        try:
            version_of(options.python, package)
        except AuditFlowError as error:
            return str(error)
        return None
