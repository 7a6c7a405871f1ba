"""lm-evaluation-harness, by its command line in the operator's own interpreter."""

from __future__ import annotations

from pathlib import Path

from audit_flow.reproduce.child import Child, environment

from .harness import HarnessAdapter
from .interface import Plan, Progress, Workspace

# Few-shot examples are part of the protocol: their seed is the harness's own and never varied.
_FEWSHOT_SEED = 1234


class LmEvalAdapter(HarnessAdapter):
    """Runs a checked task file, or a task that the harness brings, on the released weights."""

    name = "lm-eval"

    def can_run(self, plan: Plan) -> str | None:
        """Return why the harness can't be called."""
        del plan
        return self._missing("lm_eval")

    def run(
        self, plan: Plan, run_index: int, seed: int, workdir: Workspace, progress: Progress
    ) -> Path:
        """Run the harness once and return the folder that its results lie in."""
        log = workdir.top / f"lm-eval-{run_index}.log"
        # Tables made from a release's data go with the run; a harness's own tasks lie in its cache.
        cache = {"HF_DATASETS_CACHE": str(workdir.top / "cache")} if plan.declared else {}
        arguments = self.arguments(plan, seed)
        Child(arguments, workdir.files, log, environment(**cache)).run(progress)
        return workdir.out

    def arguments(self, plan: Plan, seed: int) -> list[str]:
        """Return the command line; paths in it are relative, so that results name no machine."""
        options = self._options
        model, model_args = self._model(seed)
        return [
            # Isolated: neither the folder nor PYTHONPATH can put a module in the harness's way.
            options.python, "-I", "-m", "lm_eval",
            "--model", model,
            "--model_args", ",".join(f"{k}={v}" for k, v in model_args.items()),
            "--tasks", plan.task_name,
            *(["--include_path", "."] if plan.declared else []),
            *(["--device", options.device] if options.device and model == "hf" else []),
            "--batch_size", str(options.batch_size),
            "--seed", f"{seed},{seed},{seed},{_FEWSHOT_SEED}",
            *(["--apply_chat_template"] if options.chat_template else []),
            "--log_samples",
            "--output_path", "../out",
        ]  # fmt: skip

    def _model(self, seed: int) -> tuple[str, dict[str, str]]:
        options = self._options
        if options.engine == "endpoint":
            chat = options.chat_template
            named = {"model": str(options.endpoint_model), "base_url": str(options.endpoint)}
            own = {} if chat else {"tokenizer": "../model", "tokenized_requests": "False"}
            return ("local-chat-completions" if chat else "local-completions"), named | own
        shared = {
            "pretrained": "../model", "dtype": options.dtype, "trust_remote_code": "False",
        }  # fmt: skip
        if options.engine == "vllm":
            return "vllm", shared | {"load_format": "safetensors", "seed": str(seed)}
        return "hf", shared | {"use_safetensors": "True"}
