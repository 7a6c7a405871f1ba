"""Inspect AI, by its command line in the operator's own interpreter.

Its tasks are Python: only those of packages that the operator installed are run.
"""

from __future__ import annotations

from pathlib import Path

from audit_flow.reproduce.child import Child, environment

from .harness import HarnessAdapter
from .interface import Plan, Progress, Workspace


class InspectAdapter(HarnessAdapter):
    """Runs a registered task, such as ``inspect_evals/gsm8k``, on the released weights."""

    name = "inspect"

    def can_run(self, plan: Plan) -> str | None:
        """Return why the harness can't be called."""
        if plan.declared or "/" not in plan.key.task:
            return (
                f"{plan.key.task!r} is no task of an installed package, such as "
                "inspect_evals/gsm8k; a release's own files are not run as code"
            )
        return self._missing("inspect_ai")

    def run(
        self, plan: Plan, run_index: int, seed: int, workdir: Workspace, progress: Progress
    ) -> Path:
        """Run the harness once and return the folder that its log lies in."""
        log = workdir.top / f"inspect-{run_index}.log"
        own = {"INSPECT_LOG_LEVEL": "warning", "INSPECT_DISABLE_TELEMETRY": "1"}
        Child(self.arguments(plan, seed), workdir.files, log, environment(**own)).run(progress)
        return workdir.out

    def arguments(self, plan: Plan, seed: int) -> list[str]:
        """Return the command line; paths in it are relative, so that results name no machine."""
        options = self._options
        model, model_args = self._model(plan)
        return [
            options.python, "-I", "-m", "inspect_ai", "eval", plan.key.task,
            "--model", model,
            *(part for k, v in model_args.items() for part in ("-M", f"{k}={v}")),
            *(["--model-base-url", str(options.endpoint)] if options.engine == "endpoint" else []),
            "--seed", str(seed),
            "--max-connections", str(options.batch_size),
            "--log-dir", "../out",
            "--log-format", "json",
            "--display", "none",
        ]  # fmt: skip

    def _model(self, plan: Plan) -> tuple[str, dict[str, str]]:
        options = self._options
        if options.engine == "endpoint":
            return f"openai-api/served/{options.endpoint_model}", {}
        arguments = {
            "model_path": "../model", "dtype": options.dtype, "load_format": "safetensors",
        }  # fmt: skip
        if options.engine == "vllm":
            return "vllm/released", arguments
        chosen = {"device": options.device} if options.device else {}
        # Inspect samples unless it is told not to, and refuses temperature 0 meanwhile.
        chosen |= {"do_sample": "false"} if plan.greedy else {}
        return "hf/released", {
            "model_path": "../model", "tokenizer_path": "../model", "torch_dtype": options.dtype,
            "use_safetensors": "true", "trust_remote_code": "false",
            "batch_size": str(options.batch_size), **chosen,
        }  # fmt: skip
