"""What Azure offers everywhere unless a scenario says otherwise: base models with retirement dates, and list prices."""

from collections.abc import Iterable
from datetime import UTC, datetime

from watcher.simulator.ids import guid
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
_HOSTED = ("gpt-4.1", "gpt-4.1-mini", "gpt-4.1-nano", "gpt-4o", "gpt-4o-mini", "o4-mini")
_HOSTING_PER_HOUR = 1.70  # example figure of the cost management article


def prices_of(regions: Iterable[str]) -> tuple[Price, ...]:
    """A price list: per region a hosting meter and a training meter for each model, and meters of other kinds."""
    rows = []
    for region in sorted(set(regions)):
        for model in _HOSTED:
            sku = f"{model}-FTuned"
            rows.append(Price(meter=f"{sku} Deployment Hosting Unit", price=_HOSTING_PER_HOUR, region=region, sku=sku))
            rows.append(Price(meter=f"{sku} Training Unit", price=0.002, region=region, sku=sku, unit="1K"))
        llama = "3.3 70b FT Deployment Hosting Unit"
        rows.append(Price(meter=llama, price=2.4, region=region, product="Azure Llama Models", unit="1/Hour"))
        rows.append(Price(meter="41 ft opt Dz Tokens", price=0.0022, region=region, sku="41 ft opt Dz", unit="1K"))
    return tuple(rows)


def price_payload(price: Price) -> dict[str, object]:
    """One item of the Retail Prices API."""
    return {
        "currencyCode": "USD",
        "tierMinimumUnits": 0.0,
        "retailPrice": price.price,
        "unitPrice": price.price,
        "armRegionName": price.region,
        "location": price.region,
        "effectiveStartDate": "2025-04-01T00:00:00Z",
        "meterId": guid("meter", price.region, price.meter),
        "meterName": price.meter,
        "productId": "DZH318Z0BQ4L",
        "skuId": f"DZH318Z0BQ4L/{guid('sku', price.region, price.meter)[:4].upper()}",
        "productName": price.product,
        "skuName": price.sku or price.meter,
        "serviceName": price.service,
        "serviceId": "DZH317F1HKN0",
        "serviceFamily": "AI + Machine Learning",
        "unitOfMeasure": price.unit,
        "type": "Consumption",
        "isPrimaryMeterRegion": True,
        "armSkuName": price.sku or price.meter,
    }


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
