"""The retirement dates that Azure's documentation prints for fine-tuned models: what holds where the service says none.

A table of data, to be taken over from the page anew now and then; the dates of the service itself come first. The page
says "no earlier than", so that each date may move away, and none comes nearer.

Source: MicrosoftDocs/azure-ai-docs, "concepts-model-retirements-content.md" (0378dd85), "Fine-tuned models".
"""

from datetime import UTC, datetime

from watcher.resources.model import Certainty, Retirement


def _documented(model: str, training: tuple[int, int, int], deployment: tuple[int, int, int]) -> Retirement:
    return Retirement(
        model=model,
        fine_tune_until=datetime(*training, tzinfo=UTC),
        inference_until=datetime(*deployment, tzinfo=UTC),
        certainty=Certainty.TABLE,
    )


#: By full name, everywhere.
DOCUMENTED: tuple[Retirement, ...] = (
    _documented("gpt-4o-2024-08-06", (2027, 4, 1), (2027, 10, 1)),
    _documented("gpt-4o-mini-2024-07-18", (2027, 4, 1), (2027, 10, 1)),
    _documented("gpt-4.1-2025-04-14", (2027, 4, 14), (2027, 10, 14)),
    _documented("gpt-4.1-mini-2025-04-14", (2027, 4, 14), (2027, 10, 14)),
    _documented("gpt-4.1-nano-2025-04-14", (2027, 4, 14), (2027, 10, 14)),
    _documented("o4-mini-2025-04-16", (2027, 4, 16), (2027, 10, 16)),
)
