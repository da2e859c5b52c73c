"""What Azure offers everywhere unless a scenario says otherwise: base models with retirement dates, and list prices."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from watcher.simulator.scenario import BaseModel, Price


def _model(name: str, version: str, fine_tune_until: datetime, inference_until: datetime) -> BaseModel:
    return BaseModel(name=name, version=version, fine_tune_until=fine_tune_until, inference_until=inference_until)


# Source: retirement table of fine-tuned models in the how-to pages (training, deployment).
_2027 = {month: datetime(2027, month, 1, tzinfo=UTC) for month in (4, 10)}
_MID_2027 = {month: datetime(2027, month, 14, tzinfo=UTC) for month in (4, 10)}
MODELS: tuple[BaseModel, ...] = (
    _model("gpt-4.1", "2025-04-14", _MID_2027[4], _MID_2027[10]),
    _model("gpt-4.1-mini", "2025-04-14", _MID_2027[4], _MID_2027[10]),
    _model("gpt-4.1-nano", "2025-04-14", _MID_2027[4], _MID_2027[10]),
    _model("gpt-4o", "2024-08-06", _2027[4], _2027[10]),
    _model("gpt-4o-mini", "2024-07-18", _2027[4], _2027[10]),
    _model("o4-mini", "2025-04-16", datetime(2027, 4, 16, tzinfo=UTC), datetime(2027, 10, 16, tzinfo=UTC)),
)

# Short names as they appear in meter names; the exact meters of current models are not documented.
_HOSTED = ("gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano", "gpt-4o", "gpt-4o-mini")
_REASONING = "o4-mini"
_OLDER = "gpt-35-turbo"
# Example figures of the cost management article; that of Data Zone hosting, which it leaves open, is ours.
_HOSTING_PER_HOUR, _DATA_ZONE_PER_HOUR = 1.70, 1.87
_GLOBAL_PER_1K = 0.002  # of training; regional is dearer, the developer tier half of it
_REGIONAL_PER_1K, _DEVELOPER_PER_1K = 0.0024, 0.001
_REINFORCEMENT_PER_HOUR = 100.0


def prices_of(regions: Iterable[str]) -> tuple[Price, ...]:
    """A price list: per region hosting and training of each model by tier, and meters that are neither."""
    return tuple(price for region in sorted(set(regions)) for price in _prices(region))


def _prices(region: str) -> Iterator[Price]:
    for model in (*_HOSTED, _REASONING):
        sku = f"{model}-FTuned"
        product = "Azure OpenAI Reasoning" if model == _REASONING else "Azure OpenAI PP FT GPT4s"
        unit = "1/Hour" if model == _REASONING else "1 Hour"
        for tier, figure in (("", _HOSTING_PER_HOUR), (" Glbl", _HOSTING_PER_HOUR), (" DZ", _DATA_ZONE_PER_HOUR)):
            meter = f"{sku}{tier} Deployment Hosting Unit"
            yield Price(meter=meter, price=figure, region=region, sku=f"{sku}{tier}", product=product, unit=unit)
        if model == _REASONING:
            meter = f"{model} RFT Training Hours"
            yield Price(
                meter=meter, price=_REINFORCEMENT_PER_HOUR, region=region, sku=sku, product=product, unit="1 Hour"
            )
            continue
        for tier, figure in (("", _REGIONAL_PER_1K), (" Glbl", _GLOBAL_PER_1K), (" Dev", _DEVELOPER_PER_1K)):
            yield Price(meter=f"{sku}{tier} Training Unit", price=figure, region=region, sku=f"{sku}{tier}", unit="1K")
    # As the older models were listed, and as everything was before the service was renamed.
    for meter, figure, unit in (("Deployment Hosting Unit", 3.0, "1 Hour"), ("Training Unit", 0.008, "1K")):
        yield Price(
            meter=f"{_OLDER}-FTuned {meter}",
            price=figure,
            region=region,
            sku=f"{_OLDER}-FTuned",
            product="Azure OpenAI",
            service="Cognitive Services",
            unit=unit,
        )
    # What a careless reader takes for a price: a reservation, the price beyond some quantity, and other models.
    hosting = f"{_HOSTED[0]}-FTuned Deployment Hosting Unit"
    yield Price(meter=hosting, price=9000.0, region=region, sku=f"{_HOSTED[0]}-FTuned", type="Reservation")
    yield Price(meter=hosting, price=0.5, region=region, sku=f"{_HOSTED[0]}-FTuned", tier_minimum_units=10_000)
    llama = "3.3 70b FT Deployment Hosting Unit"
    yield Price(meter=llama, price=2.4, region=region, product="Azure Llama Models", unit="1/Hour")
    yield Price(meter="41 ft opt Dz Tokens", price=0.0022, region=region, sku="41 ft opt Dz", unit="1K")


def location_model_payload(model: BaseModel) -> dict[str, object]:
    """One item of ARM's location models. Source: SPEC example ListLocationModels."""
    deprecation: dict[str, str] = {}
    if model.fine_tune_until is not None:
        deprecation["fineTune"] = _arm_time(model.fine_tune_until)
    if model.inference_until is not None:
        deprecation["inference"] = _arm_time(model.inference_until)
    if deprecation and model.deprecation_status is not None:
        deprecation["deprecationStatus"] = model.deprecation_status
    return {
        "kind": "OpenAI",
        "skuName": "S0",
        "model": {
            "format": model.format,
            "name": model.name,
            "version": model.version,
            "maxCapacity": 3,
            "capabilities": {"fineTune": "true", "inference": "true", "chatCompletion": "true"},
            "deprecation": deprecation,
            "lifecycleStatus": model.lifecycle,
            "skus": [{"name": "GlobalStandard", "usageName": f"OpenAI.GlobalStandard.{model.name}", "capacity": {}}],
        },
    }


def _arm_time(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
