"""Fast decoding of a page: the rows and the documented envelope are parsed from the bytes in one step."""

from collections.abc import Callable, Mapping
from typing import Any, cast

from cattrs import Converter
from msgspec import UNSET, UnsetType, defstruct
from msgspec.json import Decoder

from tingting_async.decoding.envelopes import PageEnvelope
from tingting_async.decoding.fast.codegen import FastDecoder, run
from tingting_async.decoding.fast.plan import Planner
from tingting_async.http.messages import PayloadPath

PageDecoder = Callable[[bytes], tuple[list[Any], dict[str, Any]]]
"""Returns the rows of a page, and the fields beside them."""


class FastPath:
    """Decodes what it is certain to decode as the strict hooks do.

    Args:
        converter: Has the strict hooks.
        envelope: How pages are written.
    """

    def __init__(self, converter: Converter, envelope: PageEnvelope | None) -> None:
        self._planner = Planner(converter)
        self.page_decoders: _PageDecoders = _PageDecoders(self._planner, envelope)

    def decode(self, value: Any, model: Any) -> Any:
        """Decode a JSON value.

        Raises:
            ValueError: The value must be decoded by the strict hooks.
        """
        decoder = self._planner.decoder_for(model)
        if decoder is None:
            raise ValueError("there is no fast way to decode this type")
        return decoder.decode(value)


class _PageDecoders(dict[tuple[Any, PayloadPath], PageDecoder]):
    """The decoders of pages, by the type of the list and the path of its payload; each is made on first use."""

    def __init__(self, planner: Planner, envelope: PageEnvelope | None) -> None:
        super().__init__()
        self._planner = planner
        self._envelope = envelope

    def __missing__(self, key: tuple[Any, PayloadPath]) -> PageDecoder:
        model, payload = key
        rows = self._planner.decoder_for(model)
        levels: list[dict[str, FastDecoder | None]] = []
        if self._envelope is not None and payload:
            payload = self._envelope.path(payload)
            levels = [self._fields(beside) for beside in (self._envelope.outer, self._envelope.inner)]
        if rows is None or len(levels) < len(payload):
            self[key] = _refuse
        else:
            self[key] = _compile_page(rows, payload, levels[: len(payload)], f"{model}, {payload}")
        return self[key]

    def _fields(self, beside: Mapping[str, Any]) -> dict[str, FastDecoder | None]:
        return {name: None if kind is Any else self._planner.decoder_for(kind) for name, kind in beside.items()}


def _refuse(_: bytes) -> tuple[list[Any], dict[str, Any]]:
    raise ValueError("there is no fast way to decode this page")


def _compile_page(
    rows: FastDecoder, path: PayloadPath, levels: list[dict[str, FastDecoder | None]], purpose: str
) -> PageDecoder:
    """Return the function that decodes a page. It raises ValueError for any other response, or what the hooks raise."""
    shape: Any = rows.shape
    names: dict[str, Any] = {"fill": rows.fill, "UNSET": UNSET}
    lines: list[str] = []
    for depth, (step, beside) in reversed([*enumerate(zip(path, levels, strict=True))]):
        keys, types = {"inner": str(step)}, [cast("tuple[Any, ...]", ("inner", shape))]
        above = {name for level in levels[:depth] for name in level}
        read: list[str] = []
        for index, (name, decoder) in enumerate(beside.items()):
            attribute, fill = f"field{index}", f"fill_{depth}_{index}"
            keys[attribute] = name
            types.append((attribute, Any if decoder is None else decoder.shape | UnsetType, UNSET))
            made = "value"
            if decoder is not None:
                names[fill], made = decoder.fill, f"{fill}(value)"
            is_new = f" and {name!r} not in beside" if name in above else ""
            read += [
                f"    value = level.{attribute}",
                f"    if value is not UNSET{is_new}:",
                f"        beside[{name!r}] = {made}",
            ]
        lines = [*read, "    level = level.inner", *lines]
        shape = defstruct("PageShape", types, rename=keys, forbid_unknown_fields=True, kw_only=True, gc=False)
    names["parse"] = Decoder(shape).decode
    body = ["    level = parse(body)", "    beside = {}", *lines, "    return fill(level), beside"]
    run(["def decode_page(body):", *body], names, purpose)
    return cast("PageDecoder", names["decode_page"])
