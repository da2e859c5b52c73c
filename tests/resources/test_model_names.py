import pytest
from hypothesis import given
from hypothesis import strategies as st

from watcher.resources.deployment import is_fine_tuned
from watcher.resources.model import base_of, family, is_checkpoint_id, model_of, suffix_of

HEX = "0123456789abcdef0123456789abcdef"
TUNED = f"gpt-4.1-2025-04-14.ft-{HEX}-Support_v2"


@pytest.mark.parametrize(
    ("name", "model", "base", "suffix", "line"),
    [
        pytest.param(TUNED, TUNED, "gpt-4.1-2025-04-14", "Support_v2", "gpt-4.1", id="with a suffix"),
        pytest.param(
            f"{TUNED}:ckpt-step-80", TUNED, "gpt-4.1-2025-04-14", "Support_v2", "gpt-4.1", id="its checkpoint"
        ),
        pytest.param(
            f"gpt-4o-mini-2024-07-18.ft-{HEX}",
            f"gpt-4o-mini-2024-07-18.ft-{HEX}",
            "gpt-4o-mini-2024-07-18",
            "",
            "gpt-4o-mini",
            id="without a suffix",
        ),
        pytest.param(f"curie.ft-{HEX}", f"curie.ft-{HEX}", "curie", "", "curie", id="without a version"),
        pytest.param(
            f"gpt-35-turbo-0125.ft-{HEX}-x",
            f"gpt-35-turbo-0125.ft-{HEX}-x",
            "gpt-35-turbo-0125",
            "x",
            "gpt-35-turbo",
            id="four digits",
        ),
        pytest.param("gpt-oss-20b.ft-job7-x", "gpt-oss-20b.ft-job7-x", "gpt-oss-20b", "", "gpt-oss-20b", id="loose"),
        pytest.param(
            "ft:gpt-4o-2024-08-06:acme:bot:Abc1:ckpt-step-9",
            "ft:gpt-4o-2024-08-06:acme:bot:Abc1",
            "gpt-4o-2024-08-06",
            "bot",
            "gpt-4o",
            id="of the platform",
        ),
        pytest.param("ft:gpt-4o:acme::A1", "ft:gpt-4o:acme::A1", "gpt-4o", "", "gpt-4o", id="platform, no suffix"),
        pytest.param("gpt-4o-2024-08-06", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06", "", "gpt-4o", id="a base model"),
        pytest.param("ftchkpt-0a1b", "ftchkpt-0a1b", "", "", "", id="a checkpoint's id tells nothing"),
        pytest.param("", "", "", "", "", id="nothing"),
    ],
)
def test_a_name_tells_its_model_base_and_suffix(name, model, base, suffix, line):
    assert (model_of(name), base_of(name), suffix_of(name), family(name)) == (model, base, suffix, line)


WORDS = st.text("abcgpt4o.-_0123456789:", max_size=12)


@given(base=st.from_regex(r"gpt-[a-z0-9.]{1,6}(-20\d\d-\d\d-\d\d)?", fullmatch=True), suffix=WORDS, step=st.integers(0))
def test_what_azure_puts_together_comes_apart_again(base, suffix, step):
    suffix = suffix.replace(":", "").replace(".", "")
    name = f"{base}.ft-{HEX}" + (f"-{suffix}" if suffix else "")

    assert (base_of(name), suffix_of(name)) == (base, suffix)
    assert model_of(f"{name}:ckpt-step-{step}") == model_of(name) == name
    assert is_fine_tuned(name)


@given(st.text(max_size=60))
def test_any_text_may_be_a_name(name):
    assert model_of(model_of(name)) == model_of(name) or ":ckpt-step-" in name
    assert base_of(base_of(name)) is not None
    assert family(name) == family(name).lower()


@pytest.mark.parametrize(
    ("model", "known", "expected"),
    [
        pytest.param("our-bot", {"our-bot"}, True, id="a known job made it, whatever its name"),
        pytest.param("our-bot:ckpt-step-40", {"our-bot"}, True, id="a checkpoint of a known model"),
        pytest.param("our-bot:ckpt-step-40", {"our-bot:ckpt-step-40"}, True, id="a known checkpoint's name"),
        pytest.param("chk-7", {"chk-7"}, True, id="a known checkpoint's id"),
        pytest.param(TUNED, (), True, id="Azure's pattern"),
        pytest.param(f"{TUNED}:ckpt-step-80", (), True, id="Azure's pattern of a checkpoint"),
        pytest.param("gpt-oss-20b.ft-job7-x", (), True, id="loosely"),
        pytest.param("FT:gpt-4o:acme::A1", (), True, id="of the platform"),
        pytest.param("ftchkpt-0a1b", (), True, id="by a checkpoint's id"),
        pytest.param("gpt-4o-2024-08-06", {"our-bot"}, False, id="a base model"),
        pytest.param("gpt-4o:ckpt", (), False, id="a colon alone"),
        pytest.param("soft-model", (), False, id="letters within a word"),
        pytest.param("", (), False, id="nothing"),
    ],
)
def test_what_is_known_goes_before_what_the_name_looks_like(model, known, expected):
    assert is_fine_tuned(model, frozenset(known)) is expected
    assert is_checkpoint_id(model) is model.startswith("ftchkpt-")
