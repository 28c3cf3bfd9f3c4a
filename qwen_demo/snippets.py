"""A request as code: texts that bring the same pictures without this app, in every dialect.

Each takes the engine that is asked, and the requests of one order, at least one, which differ in seed and n at most
(see `split`). The key is in none of them, only `QWEN_API_KEY` in the environment. Embedded pictures, whole or cut
short, are in none either: the code reads them from files in its folder, `image-1.png`, `image-2.jpg`, …, named by their
number in the request and their type.
"""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from .api.dialects import Dialect, Prepared
from .api.engine import Engine
from .api.requests import ImageRequest, asked, make

OPENAI_FIELDS = ("prompt", "model", "n", "size", "response_format", "output_format")
"""What `images.generate` and `images.edit` of the `openai` package know by name; the rest goes into `extra_body`."""

# These look at how lines of indented JSON begin or end. Inside of texts there are no line breaks: no prompt can match.
_VARIABLE = re.compile(r'^( +"(seed|n)": )\d+', re.MULTILINE)
_FILE = re.compile(r'^( +(?:"image": )?"data:image/[a-z]+;base64,)…\((.+)\)"', re.MULTILINE)
_NAME = re.compile(r'^    "(\w+)": ', re.MULTILINE)
_END = re.compile(r"\n(?= *[\]}])")
_SWITCH = re.compile(r": (true|false)(?=,?$)", re.MULTILINE)

_READER = """
def base64_of(file: str) -> str:
    return base64.b64encode(Path(file).read_bytes()).decode()


"""


def as_json(engine: Engine, requests: Sequence[ImageRequest]) -> str:
    """The body, or a list of them for several requests. `data:…;base64,…(image-1.png)` stands for a picture in JSON,
    and `@image-1.png` for one in a form."""
    bodies = [_body(engine.dialect, request) for request in requests]
    return _json(bodies if len(bodies) > 1 else bodies[0])


def as_curl(engine: Engine, requests: Sequence[ImageRequest]) -> str:
    """A command for bash that prints the JSON answer, or one a line for several requests."""
    prepared, several = _prepared(engine.dialect, requests[0]), len(requests) > 1
    margin = "    " if several else "  "
    command = [f"curl -sS -w '\\n' {shlex.quote(_url(engine, prepared))}"]
    command += ['-H "Authorization: Bearer $QWEN_API_KEY"'] if engine.keyed else []
    command += _form_options(prepared, several) if prepared.json is None else _json_options(prepared.json, several)
    call = f" \\\n{margin}".join(command)
    if not several:
        return f"{call}\n"
    own = [_own(request) for request in requests]
    rows = "".join(" ".join(map(str, values.values())) + "\n" for values in own)
    return f"while read -r {' '.join(own[0])}; do\n  {call}\ndone <<'REQUESTS'\n{rows}REQUESTS\n"


def _json_options(json: Mapping[str, Any], several: bool) -> list[str]:
    body, end = _json(json), "'JSON'"
    if several or _FILE.search(body):  # the shell has to put something in, and nothing else
        body, end = re.sub(r"[\\$`]", r"\\\g<0>", body), "JSON"
        body = _FILE.sub(r'''\1$(base64 < \2 | tr -d '\\n')"''', body)
    if several:
        body = _VARIABLE.sub(r"\1$\2", body)
    # Through stdin: pictures are too long for an argument.
    return ['-H "Content-Type: application/json"', f"--data-binary @- <<{end}\n{body}\nJSON"]


def _form_options(prepared: Prepared, several: bool) -> list[str]:
    def option(name: str, value: object) -> str:
        varies = several and name in ("seed", "n")
        return f'-F "{name}=${name}"' if varies else f"--form-string {shlex.quote(f'{name}={value}')}"

    texts = [option(name, value) for name, value in prepared.form]
    return [*texts, *(f"-F {shlex.quote(f'{name}=@{file}')}" for name, file in prepared.files)]


def as_python(engine: Engine, requests: Sequence[ImageRequest]) -> str:
    """A program with `httpx` that saves the pictures as `picture-1.png`, `picture-2.png`, …."""
    prepared = _prepared(engine.dialect, requests[0])
    if prepared.json is not None:
        carried = [f"json={_python(requests, prepared.json)},"]
    else:
        texts, files = _python(requests, _grouped(prepared.form)), _opened(prepared.files)
        carried = [f"data={texts},", *([f"files={files},"] if prepared.files else [])]
    headers = ['headers={"Authorization": "Bearer " + os.environ["QWEN_API_KEY"]},'] if engine.keyed else []
    lines = [f"{_json(_url(engine, prepared))},", *headers, *carried, "timeout=300,"]
    arguments = "\n".join(lines).replace("\n", "\n    ")
    call = f"""response = httpx.post(
    {arguments}
)
response.raise_for_status()"""
    pictures, field = engine.dialect.picture
    return _program(engine, requests, "import httpx\n", "", call, pictures.format(body="response.json()"), field)


def as_openai(engine: Engine, requests: Sequence[ImageRequest]) -> str:
    """A program with the `openai` package that saves the pictures as `picture-1.png`, `picture-2.png`, …."""
    prepared = _prepared(engine.dialect, requests[0])
    imports = "" if requests[0].response_format == "b64_json" and requests[0].row.formats else "import httpx\n"
    imports += "from openai import OpenAI\n"
    client = f"""client = OpenAI(
    base_url={_json(engine.base_url)},
    api_key={'os.environ["QWEN_API_KEY"]' if engine.keyed else '"none"'},
    max_retries=0,  # a request that timed out may be billed, or still be worked on
)
"""
    fields = _grouped(prepared.form) if prepared.json is None else dict(prepared.json)
    if requests[0].task == "generations" or prepared.files:
        known = {name: fields.pop(name) for name in OPENAI_FIELDS if name in fields}
        named = _python(requests, known | ({"extra_body": fields} if fields else {}))
        arguments = _NAME.sub(r"    \1=", named[1:-1])
        method = "generate"
        if prepared.files:
            files = ", ".join(f'open("{file}", "rb")' for _, file in prepared.files)
            arguments = f"\n    image=[{files}],{arguments}"
            method = "edit"
        call = f"client.images.{method}({arguments})"
    else:  # images.edit of the package sends a form with files, and nothing else
        imports += "from openai.types import ImagesResponse\n"
        written = _python(requests, fields).replace("\n", "\n    ")
        call = f'client.post(\n    "/{prepared.path}",\n    body={written},\n    cast_to=ImagesResponse,\n)'
    return _program(engine, requests, imports, client, f"answer = {call}", "answer.data", ".{format}")


def as_dashscope(engine: Engine, requests: Sequence[ImageRequest]) -> str:
    """A program with the maker's `dashscope` package that saves the pictures in the same way."""
    body = dict(_prepared(engine.dialect, requests[0]).json or {})
    fields = {"model": body["model"], "messages": body["input"]["messages"], **body["parameters"]}
    arguments = _NAME.sub(r"    \1=", _python(requests, fields)[1:-1])
    imports = "import dashscope\nimport httpx\nfrom dashscope import MultiModalConversation\n"
    client = f"dashscope.base_http_api_url = {_json(engine.base_url)}\n"
    call = f"""answer = MultiModalConversation.call(
    api_key=os.environ["QWEN_API_KEY"],{arguments})
if answer.status_code != 200:
    raise SystemExit(f"{{answer.code}}: {{answer.message}}")"""
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
    engine: Engine, requests: Sequence[ImageRequest], imports: str, client: str, call: str, pictures: str, field: str
) -> str:
    """The frame: a call for each request, and a file for each picture of its answer."""
    request = requests[0]
    formats = request.row.formats
    result = f"picture{field.format(format=request.response_format)}"
    base64_first = f"base64.b64decode({result})"
    # The result is on another host, so httpx fetches it alone, without the key.
    fetched = f"httpx.get({result}, timeout=60).raise_for_status().content"
    in_base64 = request.response_format == "b64_json" and bool(formats)
    data = base64_first if in_base64 else fetched
    if not formats:  # the engine decides how results travel
        attribute = field.startswith(".")
        b64, url = ("picture.b64_json", "picture.url") if attribute else ('picture.get("b64_json")', 'picture["url"]')
        data = f"base64.b64decode({b64}) if {b64} else httpx.get({url}, timeout=60).raise_for_status().content"
    reader = _READER if _FILE.search(_json(_body(engine.dialect, request))) else ""
    work = f"""{call}
for picture in {pictures}:
    data = {data}
    Path(f"picture-{{next(numbers)}}.png").write_bytes(data)"""
    if len(requests) > 1:
        rows = [tuple(_own(request).values()) for request in requests]
        values = ", ".join(str(row if len(row) > 1 else row[0]) for row in rows)
        names = ", ".join(_own(request))
        work = f"for {names} in [{values}]:\n{work}".replace("\n", "\n    ")
    standard = "import os\n" * engine.keyed + "from itertools import count\nfrom pathlib import Path\n"
    first = "import base64\n" if in_base64 or not formats or reader else ""
    return f"{first}{standard}\n{imports}\n{reader}{client}numbers = count(1)\n{work}\n"


def _url(engine: Engine, prepared: Prepared) -> str:
    return f"{engine.base_url}/{prepared.path}"


def _prepared(dialect: Dialect, request: ImageRequest) -> Prepared:
    """What is sent, with the name of a file in place of each embedded picture."""
    names = [_file_of(number, reference) for number, reference in enumerate(request.references, start=1)]
    in_json = [_stand_in(reference, name) for reference, name in zip(request.references, names, strict=True)]
    prepared = dialect.prepare(_with_references(request, in_json))
    files = tuple((name, file) for (name, _), file in zip(prepared.files, names, strict=False))
    return replace(prepared, files=files)


def _stand_in(reference: str, file: str) -> str:
    return f"data:image/{_kind(reference)};base64,…({file})" if reference.startswith("data:") else reference


def _kind(reference: str) -> str:
    # Nothing else of the text may reach a shell.
    found = re.match(r"data:image/([a-z]*)", reference)
    return (found[1] if found else "") or "png"


def _file_of(number: int, reference: str) -> str:
    kind = _kind(reference)
    return f"image-{number}.{'jpg' if kind == 'jpeg' else kind}"


def _with_references(request: ImageRequest, references: Sequence[str]) -> ImageRequest:
    return make(request.kind, references, **asked(request), catalog=request.catalog)


def _body(dialect: Dialect, request: ImageRequest) -> dict[str, Any]:
    prepared = _prepared(dialect, request)
    if prepared.json is not None:
        return dict(prepared.json)
    body = _grouped(prepared.form)
    for name, file in prepared.files:
        body[name] = f"@{file}" if name not in body else [*_listed(body[name]), f"@{file}"]
    return body


def _grouped(form: Sequence[tuple[str, str | int | float]]) -> dict[str, Any]:
    """A form's texts by their names; several of one name are a list."""
    fields: dict[str, Any] = {}
    for name, value in form:
        fields[name] = value if name not in fields else [*_listed(fields[name]), value]
    return fields


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _opened(files: Sequence[tuple[str, str]]) -> str:
    rows = "".join(f'\n    ("{name}", open("{file}", "rb")),' for name, file in files)
    return f"[{rows}\n]"


def _own(request: ImageRequest) -> dict[str, int]:
    """What the requests of an order may differ in; no seed where the API draws it."""
    return {"n": request.n} if request.seed is None else {"seed": request.seed, "n": request.n}


def _python(requests: Sequence[ImageRequest], body: Mapping[str, Any]) -> str:
    """A body as Python, which reads texts as JSON writes them."""
    text = _SWITCH.sub(lambda found: f": {found[1].title()}", _json(body, 4))
    text = _FILE.sub(r'\1" + base64_of("\2")', _END.sub(",\n", text))
    return _VARIABLE.sub(r"\1\2", text) if len(requests) > 1 else text


def _json(value: object, indent: int = 2) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)
