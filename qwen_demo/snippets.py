"""A request as code: texts that bring the same pictures without this app, in every dialect.

Each takes the engine that is asked, and the requests of one order, at least one, which differ in seed and n at most
(see `split`). The key is in none of them, only `QWEN_API_KEY` in the environment. Embedded pictures, whole or cut
short, are in none either: the code reads them from files in its folder, `image-1.png`, `image-2.jpg`, …, named by their
number in the request and their type.
"""

import json
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Any

from .api.dialects import Prepared
from .api.engine import Engine
from .api.requests import ImageRequest, asked, make

OPENAI_FIELDS = ("prompt", "model", "n", "size", "response_format", "output_format")
"""What `images.generate` and `images.edit` of the `openai` package know by name; the rest goes into `extra_body`."""

_READER = """
def base64_of(file: str) -> str:
    return base64.b64encode(Path(file).read_bytes()).decode()


"""


def as_json(engine: Engine, requests: Sequence[ImageRequest]) -> str:
    """The body, or a list of them for several requests. `data:…;base64,…(image-1.png)` stands for a picture in JSON,
    and `@image-1.png` for one in a form."""
    bodies = [_body(_prepared(engine, request)) for request in requests]
    return _json(bodies if len(bodies) > 1 else bodies[0])


def as_curl(engine: Engine, requests: Sequence[ImageRequest]) -> str:
    """A command for bash that prints the JSON answer, or one a line for several requests."""
    prepared, variables = _prepared(engine, requests[0]), _variables(requests)
    command = [f"curl -sS -w '\\n' {quote(_url(engine, prepared))}"]
    command += ['-H "Authorization: Bearer $QWEN_API_KEY"'] if engine.keyed else []
    command += _json_options(prepared, variables) if prepared.json is not None else _form_options(prepared, variables)
    if not variables:
        return " \\\n  ".join(command) + "\n"
    call = " \\\n    ".join(command)
    rows = "".join(" ".join(map(str, _values(request, variables))) + "\n" for request in requests)
    return f"while read -r {' '.join(variables)}; do\n  {call}\ndone <<'REQUESTS'\n{rows}REQUESTS\n"


def _json_options(prepared: Prepared, variables: Collection[str]) -> list[str]:
    body, end = _json(prepared.json), "'JSON'"
    if variables or _reads_base64(prepared):  # the shell has to put something in, and nothing else
        body, end = _SHELL.write(prepared.json, variables), "JSON"
    # Through stdin: pictures are too long for an argument.
    return ['-H "Content-Type: application/json"', f"--data-binary @- <<{end}\n{body}\nJSON"]


def _form_options(prepared: Prepared, variables: Collection[str]) -> list[str]:
    def option(name: str, value: object) -> str:
        if name in variables:
            return f'-F "{name}=${name}"'
        if isinstance(value, _Picture):  # too long for an argument, so it goes through a file
            text = f"printf %s {quote(value.start)}; base64 < {value.file} | tr -d '\\n'"
            return f"-F {quote(f'{name}=<')}<({text})"
        return f"--form-string {quote(f'{name}={value}')}"  # with -F, `@`, `<` and `;type=` would mean something

    files = [f"-F {quote(f'{name}=@{file}')}" for name, file in _files(prepared)]
    return [*(option(name, value) for name, value in prepared.form), *files]


def as_python(engine: Engine, requests: Sequence[ImageRequest]) -> str:
    """A program with `httpx` that saves the pictures as `picture-1.png`, `picture-2.png`, …."""
    prepared, variables = _prepared(engine, requests[0]), _variables(requests)
    arguments = [_json(_url(engine, prepared))]
    arguments += [f'headers={{"Authorization": "Bearer " + {_key(engine)}}}'] if engine.keyed else []
    if prepared.json is not None:
        arguments += _named({"json": prepared.json}, variables)
    else:
        arguments += _named({"data": _grouped(prepared.form)}, variables)
        files = [f"({_json(name)}, {_opened(file)})" for name, file in _files(prepared)]
        arguments += [f"files={_block('[]', files, _INDENT)}"] if files else []
    call = f"response = {_call('httpx.post', [*arguments, 'timeout=300'])}\nresponse.raise_for_status()"
    pictures, field = engine.dialect.picture
    return _program(engine, requests, ["import httpx"], "", call, pictures.format(body="response.json()"), field)


def as_openai(engine: Engine, requests: Sequence[ImageRequest]) -> str:
    """A program with the `openai` package that saves the pictures as `picture-1.png`, `picture-2.png`, …."""
    prepared, variables = _prepared(engine, requests[0]), _variables(requests)
    imports = ["from openai import OpenAI"]
    client = f"""client = OpenAI(
    base_url={_json(engine.base_url)},
    api_key={_key(engine)},
    max_retries=0,  # a request that timed out may be billed, or still be worked on
)
"""
    fields = dict(prepared.json) if prepared.json is not None else _grouped(prepared.form)
    if prepared.files or not requests[0].references:
        known = {name: fields.pop(name) for name in OPENAI_FIELDS if name in fields}
        arguments = _named(known | ({"extra_body": fields} if fields else {}), variables)
        files = [_opened(file) for _, file in _files(prepared)]
        image = files[0] if len(files) == 1 else f"[{', '.join(files)}]"
        call = _call("client.images.edit", [f"image={image}", *arguments]) if files else ""
        call = call or _call("client.images.generate", arguments)
    else:  # images.edit of the package sends a form with files, and nothing else
        imports += ["from openai.types import ImagesResponse"]
        as_form = 'options={"headers": {"Content-Type": "multipart/form-data"}}'
        body = {name.removesuffix("[]"): value for name, value in fields.items()}  # the package adds that to lists
        arguments = [_json(f"/{prepared.path}"), *_named({"body": body}, variables), "cast_to=ImagesResponse"]
        call = _call("client.post", arguments if prepared.json is not None else [*arguments, as_form])
    return _program(engine, requests, imports, client, f"answer = {call}", "answer.data", ".{format}")


def as_dashscope(engine: Engine, requests: Sequence[ImageRequest]) -> str:
    """A program with the maker's `dashscope` package that saves the pictures in the same way.

    A prompt that is the name of a file in its folder, or begins with `file://`, the package takes for that file.
    """
    body = _body(_prepared(engine, requests[0]))
    fields = {"model": body["model"], "messages": body["input"]["messages"], **body["parameters"]}
    arguments = [f"api_key={_key(engine)}", *_named(fields, _variables(requests))]
    call = f"""answer = {_call("MultiModalConversation.call", arguments)}
if answer.status_code != 200:
    raise SystemExit(f"{{answer.code}}: {{answer.message}}")"""
    imports = ["import dashscope", "from dashscope import MultiModalConversation"]
    client = f"dashscope.base_http_api_url = {_json(engine.base_url)}\n"
    pictures, field = engine.dialect.picture
    return _program(engine, requests, imports, client, call, pictures.format(body="answer"), field)


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
    pictures: str,
    field: str,
) -> str:
    """The frame: a call for each request, and a file for each picture of its answer."""
    data, reader = _bytes_of(requests[0], field), _READER * _reads_base64(_prepared(engine, requests[0]))
    work = f"""{call}
for picture in {pictures}:
    data = {data}
    Path(f"picture-{{next(numbers)}}.png").write_bytes(data)"""
    if variables := _variables(requests):
        rows = [_values(request, variables) for request in requests]
        values = ", ".join(str(row if len(row) > 1 else row[0]) for row in rows)
        work = f"for {', '.join(variables)} in [{values}]:\n{work}".replace("\n", f"\n{_INDENT}")
    standard = ["import base64"] * ("base64" in data or bool(reader)) + ["import os"] * engine.keyed
    standard += ["from itertools import count", "from pathlib import Path"]
    packages = {*imports, *(["import httpx"] if "httpx" in data else [])}
    others = sorted(packages, key=lambda line: (line.startswith("from"), line))
    return "\n".join([*standard, "", *others, f"{reader}\n{client}numbers = count(1)", work, ""])


def _bytes_of(request: ImageRequest, field: str) -> str:
    """What makes bytes of a `picture`, of which one field holds an address or base64."""
    # The result is on another host, so httpx fetches it alone, without the key.
    url = f"httpx.get(picture{field.format(format='url')}, timeout=60).raise_for_status().content"
    b64 = f"base64.b64decode(picture{field.format(format='b64_json')})"
    if field == field.format(format="") or request.row.formats == ("url",):
        return url
    if request.row.formats:
        return b64 if request.response_format == "b64_json" else url
    found = field.format(format="b64_json").replace("[", ".get(").replace("]", ")")  # it may be absent, or None
    return f"{b64} if picture{found} else {url}"


class _Picture(str):
    """Stands for an embedded picture, as JSON shows it. A prompt that says the same is none.

    Attributes:
        file: that holds it.
        start: of its text, up to the base64.
    """

    def __new__(cls, number: int, reference: str) -> "_Picture":
        kind = re.match(r"data:image/([a-z]+)", reference)  # nothing else of the text may reach a shell
        name = kind[1] if kind else "png"
        start, file = f"data:image/{name};base64,", f"image-{number}.{'jpg' if name == 'jpeg' else name}"
        picture = super().__new__(cls, f"{start}…({file})")
        picture.start, picture.file = start, file
        return picture

    file: str
    start: str


def _prepared(engine: Engine, request: ImageRequest) -> Prepared:
    """What is sent, with a stand-in for each embedded picture."""
    references = [
        _Picture(number, reference) if reference.startswith("data:") else reference
        for number, reference in enumerate(request.references, start=1)
    ]
    return engine.dialect.prepare(make(request.kind, references, **asked(request), catalog=request.catalog))


def _url(engine: Engine, prepared: Prepared) -> str:
    return f"{engine.base_url}/{prepared.path}"


def _key(engine: Engine) -> str:
    return 'os.environ["QWEN_API_KEY"]' if engine.keyed else '"none"'


def _body(prepared: Prepared) -> dict[str, Any]:
    if prepared.json is not None:
        return dict(prepared.json)
    return _grouped([*prepared.form, *((name, f"@{file}") for name, file in _files(prepared))])


def _grouped(form: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """A form's texts by their names; several of one name are a list."""
    fields: dict[str, list[Any]] = {}
    for name, value in form:
        fields.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in fields.items()}


def _files(prepared: Prepared) -> list[tuple[str, str]]:
    return [(name, picture.file) for name, picture in prepared.files if isinstance(picture, _Picture)]


def _reads_base64(prepared: Prepared) -> bool:
    """Whether there are pictures that are sent as texts."""

    def holds(value: object) -> bool:
        inner = value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ()
        return isinstance(value, _Picture) or any(map(holds, inner))

    return holds(prepared.json) or any(isinstance(value, _Picture) for _, value in prepared.form)


def _variables(requests: Sequence[ImageRequest]) -> tuple[str, ...]:
    """What the requests of an order may differ in; no seed where the API draws it."""
    if len(requests) == 1:
        return ()
    return ("n",) if requests[0].seed is None else ("seed", "n")


def _values(request: ImageRequest, variables: Iterable[str]) -> tuple[int, ...]:
    return tuple(getattr(request, name) for name in variables)


_INDENT = "    "


@dataclass(frozen=True, slots=True)
class _Language:
    """How a body is written as code.

    Attributes:
        plain: a text, a number, a switch or nothing.
        picture: one that is read from its `file`, after its `start`.
        variable: what stands for a field that differs from request to request.
        indent: of what is inside of something.
        last: what follows the last of several.
    """

    plain: Callable[[object], str]
    picture: str
    variable: str
    indent: str = _INDENT
    last: str = ","

    def write(self, value: object, variables: Collection[str], margin: str = "") -> str:
        """A value that begins in a line with that margin, with variables for the fields of these names."""
        inner = margin + self.indent
        if isinstance(value, _Picture):
            return self.picture.format(start=value.start, file=value.file)
        if value and isinstance(value, Mapping):
            fields = (
                self.variable.format(name) if name in variables else self.write(field, variables, inner)
                for name, field in value.items()
            )
            rows = [f"{self.plain(name)}: {field}" for name, field in zip(value, fields, strict=True)]
            return _block("{}", rows, margin, self.indent, self.last)
        if value and isinstance(value, list | tuple):
            rows = [self.write(entry, variables, inner) for entry in value]
            return _block("[]", rows, margin, self.indent, self.last)
        return self.plain(value)


def _block(brackets: str, rows: Sequence[str], margin: str = "", indent: str = _INDENT, last: str = ",") -> str:
    line = f"\n{margin}{indent}"
    return f"{brackets[0]}{line}{f',{line}'.join(rows)}{last}\n{margin}{brackets[1]}"


def _call(function: str, arguments: Sequence[str]) -> str:
    return function + _block("()", arguments)


def _named(fields: Mapping[str, object], variables: Collection[str]) -> list[str]:
    """A call's arguments with names."""
    return [
        f"{name}={name if name in variables else _PYTHON.write(value, variables, _INDENT)}"
        for name, value in fields.items()
    ]


def _opened(file: str) -> str:
    return f'open("{file}", "rb")'


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _python(value: object) -> str:
    """Python reads texts and numbers as JSON writes them."""
    return str(value) if value is None or isinstance(value, bool) else _json(value)


_PYTHON = _Language(_python, '"{start}" + base64_of("{file}")', "{}")
_SHELL = _Language(
    lambda value: re.sub(r"[\\$`]", r"\\\g<0>", _json(value)),
    '''"{start}$(base64 < {file} | tr -d '\\n')"''',
    "${}",
    indent="  ",
    last="",
)
