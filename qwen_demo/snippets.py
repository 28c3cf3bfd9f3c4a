"""A request as code: texts that bring the same pictures without this app, in every dialect.

Each takes the engine that is asked, and the requests of one order, at least one, which differ in seed and n at most
(see `split`). The key is in none of them, only `QWEN_API_KEY` in the environment. Embedded pictures, whole or cut
short, are in none either: the code reads them from files in its folder, `image-1.png`, `image-2.jpg`, …, named by their
number in the request and their type.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from shlex import quote
from typing import Any

from .api.dialects import Prepared
from .api.engine import Engine
from .api.requests import ImageRequest, asked, make

OPENAI_FIELDS = ("prompt", "model", "n", "size", "response_format", "output_format")
"""What `images.generate` and `images.edit` of the `openai` package know by name; the rest goes into `extra_body`."""

_INDENT = "    "
_READER = """
def base64_of(file: str) -> str:
    return base64.b64encode(Path(file).read_bytes()).decode()


"""


def as_json(engine: Engine, requests: Sequence[ImageRequest], first: Sequence[int] = ()) -> str:
    """The body, or a list of them for several requests. `data:…;base64,…(image-1.png)` stands for a picture in JSON,
    and `@image-1.png` for one in a form. Each request's pictures are numbered from its `first` on, or from 1."""
    numbers = first or [1] * len(requests)
    bodies = [_body(_prepared(engine, *pair)) for pair in zip(requests, numbers, strict=True)]
    return _json(bodies if len(bodies) > 1 else bodies[0])


def as_curl(engine: Engine, requests: Sequence[ImageRequest]) -> str:
    """A command for bash that prints the JSON answer, or one a line for several requests."""
    prepared, variables = _prepared(engine, requests[0]), _variables(requests)
    command = [f"curl -sS -w '\\n' {quote(f'{engine.base_url}/{prepared.path}')}"]
    command += ['-H "Authorization: Bearer $QWEN_API_KEY"'] if engine.wants_key else []
    if prepared.json is None:
        command += [_text_option(name, value, variables) for name, value in prepared.form]
        command += [f"-F {quote(f'{name}=@{file}')}" for name, file in _files(prepared)]
    else:
        body, end = _json(prepared.json), "'JSON'"
        if variables or _sends_base64(requests[0], prepared):  # the shell has to put something in, and nothing else
            body, end = replace(_SHELL, variables=variables).write(prepared.json), "JSON"
        # Through stdin: pictures are too long for an argument.
        command += ['-H "Content-Type: application/json"', f"--data-binary @- <<{end}\n{body}\nJSON"]
    if not variables:
        return " \\\n  ".join(command) + "\n"
    call = " \\\n    ".join(command)
    rows = "".join(" ".join(map(str, _values(request, variables))) + "\n" for request in requests)
    return f"while read -r {' '.join(variables)}; do\n  {call}\ndone <<'REQUESTS'\n{rows}REQUESTS\n"


def _text_option(name: str, value: object, variables: Collection[str]) -> str:
    """A text of a form."""
    if name in variables:
        return f'-F "{name}=${name}"'
    if isinstance(value, _Picture):  # curl reads it as if from a file, for it is too long for an argument
        text = f"printf %s {quote(value.start)}; base64 < {value.file} | tr -d '\\n'"
        return f"-F {quote(f'{name}=<')}<({text})"
    return f"--form-string {quote(f'{name}={value}')}"  # with -F, `@`, `<` and `;type=` would mean something


def as_python(engine: Engine, requests: Sequence[ImageRequest]) -> str:
    """A program with `httpx` that saves the pictures as `picture-1.png`, `picture-2.png`, …."""
    prepared, python = _prepared(engine, requests[0]), replace(_PYTHON, variables=_variables(requests))
    arguments = [_json(f"{engine.base_url}/{prepared.path}")]
    arguments += [f'headers={{"Authorization": "Bearer " + {_key(engine)}}}'] if engine.wants_key else []
    if prepared.json is None:
        arguments += python.arguments({"data": grouped(prepared.form)})
        files = [f"({_json(name)}, {_opened(file)})" for name, file in _files(prepared)]
        arguments += [f"files={_block('[]', files, _INDENT)}"] if files else []
    else:
        arguments += python.arguments({"json": prepared.json})
    call = f"response = httpx.post{_block('()', [*arguments, 'timeout=300'])}\nresponse.raise_for_status()"
    return _program(engine, requests, ["import httpx"], "", call, "response.json()", engine.dialect.picture)


def as_openai(engine: Engine, requests: Sequence[ImageRequest]) -> str:
    """A program with the `openai` package that saves the pictures as `picture-1.png`, `picture-2.png`, …."""
    call = _openai_call(requests, _prepared(engine, requests[0]))
    imports = ["from openai import OpenAI"]
    imports += ["from openai.types import ImagesResponse"] if call.startswith("client.post") else []
    client = f"""client = OpenAI(
    base_url={_json(engine.base_url)},
    api_key={_key(engine)},
    max_retries=0,  # a request that timed out may {"be billed" if engine.billed else "still be worked on"}
)
"""
    return _program(engine, requests, imports, client, f"answer = {call}", "answer", ("{body}.data", ".{format}"))


def _openai_call(requests: Sequence[ImageRequest], prepared: Prepared) -> str:
    python, is_form = replace(_PYTHON, variables=_variables(requests)), prepared.json is None
    fields = grouped(prepared.form) if is_form else _body(prepared)
    files = [_opened(file) for _, file in _files(prepared)]
    if requests[0].references and not files:  # images.edit sends a form with files, and nothing else
        fields = {name.removesuffix("[]"): value for name, value in fields.items()}  # lists get that from the package
        arguments = [_json(f"/{prepared.path}"), *python.arguments({"body": fields}), "cast_to=ImagesResponse"]
        arguments += ['options={"headers": {"Content-Type": "multipart/form-data"}}'] if is_form else []
        return f"client.post{_block('()', arguments)}"
    known = {name: fields.pop(name) for name in OPENAI_FIELDS if name in fields}
    arguments = python.arguments(known | ({"extra_body": fields} if fields else {}))
    if not files:
        return f"client.images.generate{_block('()', arguments)}"
    image = files[0] if len(files) == 1 else f"[{', '.join(files)}]"  # the package calls those of a list `image[]`
    return f"client.images.edit{_block('()', [f'image={image}', *arguments])}"


def as_dashscope(engine: Engine, requests: Sequence[ImageRequest]) -> str:
    """A program with the maker's `dashscope` package that saves the pictures in the same way.

    The package uploads the file in place of a prompt that is a file's name or its `file://` address.
    """
    python, body = replace(_PYTHON, variables=_variables(requests)), _body(_prepared(engine, requests[0]))
    fields = {"model": body["model"], "messages": body["input"]["messages"], **body["parameters"]}
    arguments = [f"api_key={_key(engine)}", *python.arguments(fields)]
    call = f"""answer = MultiModalConversation.call{_block("()", arguments)}
if answer.status_code != 200:
    raise SystemExit(f"{{answer.code}}: {{answer.message}}")"""
    imports = ["import dashscope", "from dashscope import MultiModalConversation"]
    client = f"dashscope.base_http_api_url = {_json(engine.base_url)}\n"
    return _program(engine, requests, imports, client, call, "answer", engine.dialect.picture)


PACKAGES = {"openai": ("OpenAI", as_openai), "dashscope": ("DashScope", as_dashscope)}
"""By the names of the packages: what people call a form of the code, and what makes it."""


def all_forms(engine: Engine, requests: Sequence[ImageRequest]) -> Mapping[str, str]:
    """The code in each form that people use with that engine, by what they call it."""
    forms = {"JSON": as_json, "curl": as_curl, "Python": as_python}
    forms |= dict([PACKAGES[engine.dialect.package]]) if engine.dialect.package else {}
    return {title: write(engine, requests) for title, write in forms.items()}


def _program(
    engine: Engine,
    requests: Sequence[ImageRequest],
    imports: Sequence[str],
    client: str,
    call: str,
    body: str,
    picture: tuple[str, str],
) -> str:
    """The frame: a call for each request, and a file for each picture in the answer's body, as `Dialect.picture`."""
    pictures, field = picture
    data = _bytes_of(requests[0], field)
    work = f"""{call}
for picture in {pictures.format(body=body)}:
    data = {data}
    Path(f"picture-{{next(numbers)}}.png").write_bytes(data)"""
    if variables := _variables(requests):
        rows = [_values(request, variables) for request in requests]
        values = ", ".join(str(row if len(row) > 1 else row[0]) for row in rows)
        work = f"for {', '.join(variables)} in [{values}]:\n{work}".replace("\n", f"\n{_INDENT}")
    reader = _READER * _sends_base64(requests[0], _prepared(engine, requests[0]))
    standard = ["import base64"] * ("base64" in data + reader) + ["import os"] * engine.wants_key
    standard += ["from itertools import count", "from pathlib import Path"]
    others = sorted({*imports, *["import httpx"] * ("httpx" in data)}, key=lambda line: (line.startswith("from"), line))
    return "\n".join([*standard, "", *others, "", f"{reader}{client}numbers = count(1)", work, ""])


def _bytes_of(request: ImageRequest, field: str) -> str:
    """What makes bytes of a `picture`, of which one field holds an address or base64."""
    # The result is on another host, so httpx fetches it alone, without the key.
    url = f"httpx.get(picture{field.format(format='url')}, timeout=60).raise_for_status().content"
    b64 = f"base64.b64decode(picture{field.format(format='b64_json')})"
    if "{format}" not in field:
        return url
    if request.row.formats:
        return b64 if request.response_format == "b64_json" else url
    found = field.format(format="b64_json").replace("[", ".get(").replace("]", ")")
    return f"{b64} if picture{found} else {url}"  # the engine decides, and the other one is absent, or None


def _prepared(engine: Engine, request: ImageRequest, first: int = 1) -> Prepared:
    """What is sent, with a stand-in for each embedded picture."""
    references = [
        _Picture(number, reference) if reference.startswith("data:") else reference
        for number, reference in enumerate(request.references, first)
    ]
    return engine.dialect.prepare(make(request.kind, references, **asked(request), catalog=request.catalog))


class _Picture(str):
    """Stands for an embedded picture, as JSON shows it. A prompt that says the same is none.

    Attributes:
        start: of its text, up to the base64.
        file: that holds it.
    """

    start: str
    file: str

    def __new__(cls, number: int, reference: str) -> "_Picture":
        found = re.match(r"data:image/([a-z]+)", reference)  # nothing else of the text may reach a shell
        kind = found[1] if found else "png"
        start, file = f"data:image/{kind};base64,", f"image-{number}.{'jpg' if kind == 'jpeg' else kind}"
        picture = super().__new__(cls, f"{start}…({file})")
        picture.start, picture.file = start, file
        return picture


def _files(prepared: Prepared) -> list[tuple[str, str]]:
    """The form's pictures, by the names of their fields."""
    return [(name, picture.file) for name, picture in prepared.files if isinstance(picture, _Picture)]


def _sends_base64(request: ImageRequest, prepared: Prepared) -> bool:
    """Whether pictures are sent as texts."""
    return not prepared.files and any(reference.startswith("data:") for reference in request.references)


def _body(prepared: Prepared) -> dict[str, Any]:
    if prepared.json is not None:
        return dict(prepared.json)
    return grouped([*prepared.form, *((name, f"@{file}") for name, file in _files(prepared))])


def grouped(form: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A form's texts by their names; several of one name are a list."""
    fields: dict[str, list[Any]] = {}
    for name, value in form:
        fields.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in fields.items()}


def _key(engine: Engine) -> str:
    return 'os.environ["QWEN_API_KEY"]' if engine.wants_key else '"none"'  # the packages want one in any case


def _variables(requests: Sequence[ImageRequest]) -> tuple[str, ...]:
    """What the requests of an order may differ in; no seed where the API draws it."""
    if len(requests) == 1:
        return ()
    return ("n",) if requests[0].seed is None else ("seed", "n")


def _values(request: ImageRequest, variables: Iterable[str]) -> tuple[int, ...]:
    return tuple(getattr(request, name) for name in variables)


def _opened(file: str) -> str:
    return f'open("{file}", "rb")'


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _block(brackets: str, rows: Sequence[str], margin: str = "", indent: str = _INDENT, last: str = ",") -> str:
    line = f"\n{margin}{indent}"
    return f"{brackets[0]}{line}{f',{line}'.join(rows)}{last}\n{margin}{brackets[1]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Language:
    """How a body is written as code.

    Attributes:
        plain: a text, a number, a switch or nothing.
        picture: one that is read from its `file`, after its `start`.
        variable: that stands for a field.
        indent: of what is inside of something.
        last: what follows the last of several.
        variables: the fields that have one.
    """

    plain: Callable[[object], str]
    picture: str
    variable: str
    indent: str = _INDENT
    last: str = ","
    variables: tuple[str, ...] = ()

    def write(self, value: object, margin: str = "") -> str:
        """A value; its further lines begin with that margin."""
        inner = margin + self.indent
        if isinstance(value, _Picture):
            return self.picture.format(start=value.start, file=value.file)
        if isinstance(value, Mapping) and value:
            rows = [f"{self.plain(name)}: {self._field(name, field, inner)}" for name, field in value.items()]
            return _block("{}", rows, margin, self.indent, self.last)
        if isinstance(value, list) and value:
            return _block("[]", [self.write(entry, inner) for entry in value], margin, self.indent, self.last)
        return self.plain(value)

    def arguments(self, fields: Mapping[str, object]) -> list[str]:
        """Those of a call, by their names."""
        return [f"{name}={self._field(name, value, self.indent)}" for name, value in fields.items()]

    def _field(self, name: str, value: object, margin: str) -> str:
        return self.variable.format(name) if name in self.variables else self.write(value, margin)


_PYTHON = _Language(
    # Python reads texts and numbers as JSON writes them.
    plain=lambda value: str(value) if value is None or isinstance(value, bool) else _json(value),
    picture='"{start}" + base64_of("{file}")',
    variable="{}",
)
_SHELL = _Language(
    plain=lambda value: re.sub(r"[\\$`]", r"\\\g<0>", _json(value)),
    picture='''"{start}$(base64 < {file} | tr -d '\\n')"''',
    variable="${}",
    indent="  ",
    last="",
)
