"""A request as code: texts that bring the same pictures without this app.

Each takes the requests of one order, at least one, which differ in seed and n at most (see `split`), and all but the
JSON the API's base URL, without a slash at its end. The key is in none of them, only `QWEN_API_KEY` in the environment.
Embedded pictures, whole or cut short, are in none either: the code reads them from files in its folder, `image-1.png`,
`image-2.jpg`, …, named by their number in the request and their type.
"""

import json
import re
import shlex
from collections.abc import Sequence
from typing import Any

from .api.requests import ImageRequest

OPENAI_FIELDS = ("prompt", "model", "n", "size", "response_format")
"""What `images.generate` of the `openai` package knows by name; the rest goes into its `extra_body`."""

# These look at how lines of indented JSON begin or end. Inside of texts there are no line breaks: no prompt can match.
_VARIABLE = re.compile(r'^( +"(seed|n)": )\d+', re.MULTILINE)
_FILE = re.compile(r'^( +"data:image/[a-z]+;base64,)…\((.+)\)"', re.MULTILINE)
_NAME = re.compile(r'^    "(\w+)": ', re.MULTILINE)
_END = re.compile(r"\n(?= *[\]}])")
_SWITCH = re.compile(r": (true|false)(?=,?$)", re.MULTILINE)

_READER = """
def base64_of(file: str) -> str:
    return base64.b64encode(Path(file).read_bytes()).decode()


"""


def as_json(requests: Sequence[ImageRequest]) -> str:
    """The JSON body, or a list of them for several requests. `data:…;base64,…(image-1.png)` stands for a picture."""
    bodies = [_body(request) for request in requests]
    return _json(bodies if len(bodies) > 1 else bodies[0])


def as_curl(base_url: str, requests: Sequence[ImageRequest]) -> str:
    """A command for bash that prints the JSON answer, or one a line for several requests."""
    several = len(requests) > 1
    body, end = _json(_body(requests[0])), "'JSON'"
    if several or _FILE.search(body):  # the shell has to put something in, and nothing else
        body, end = re.sub(r"[\\$`]", r"\\\g<0>", body), "JSON"
        body = _FILE.sub(r'''\1$(base64 < \2 | tr -d '\\n')"''', body)
    if several:
        body = _VARIABLE.sub(r"\1$\2", body)
    # Through stdin: pictures are too long for an argument.
    call = rf"""curl -sS -w '\n' {shlex.quote(f"{base_url}/{requests[0].path}")} \
  -H "Authorization: Bearer $QWEN_API_KEY" \
  -H "Content-Type: application/json" \
  --data-binary @- <<{end}"""
    if not several:
        return f"{call}\n{body}\nJSON\n"
    loop = f"while read -r {' '.join(_own(requests[0]))}; do\n{call}".replace("\n", "\n  ")
    rows = "".join(" ".join(map(str, _own(request).values())) + "\n" for request in requests)
    return f"{loop}\n{body}\nJSON\ndone <<'REQUESTS'\n{rows}REQUESTS\n"


def as_python(base_url: str, requests: Sequence[ImageRequest]) -> str:
    """A program with `httpx` that saves the pictures as `picture-1.png`, `picture-2.png`, …."""
    body = _python(requests, _body(requests[0])).replace("\n", "\n    ")
    call = f"""response = httpx.post(
    {_json(f"{base_url}/{requests[0].path}")},
    headers={{"Authorization": "Bearer " + os.environ["QWEN_API_KEY"]}},
    json={body},
    timeout=300,
)
response.raise_for_status()
for picture in response.json()["data"]:"""
    return _program(requests, "import httpx\n", "", call, 'picture["{}"]')


def as_openai(base_url: str, requests: Sequence[ImageRequest]) -> str:
    """A program with the `openai` package that saves the pictures as `picture-1.png`, `picture-2.png`, …."""
    body = _body(requests[0])
    imports = "import httpx\n" if requests[0].response_format == "url" else ""
    imports += "from openai import OpenAI\n"
    client = f"""client = OpenAI(
    base_url={_json(base_url)},
    api_key=os.environ["QWEN_API_KEY"],
    max_retries=0,  # a request that timed out may have been billed
)
"""
    if requests[0].task == "generations":
        known = {name: body.pop(name) for name in OPENAI_FIELDS if name in body}
        arguments = _NAME.sub(r"    \1=", _python(requests, known | {"extra_body": body})[1:-1])
        call = f"client.images.generate({arguments})"
    else:  # images.edit of the package would send a form with files, and this API takes JSON
        imports += "from openai.types import ImagesResponse\n"
        written = _python(requests, body).replace("\n", "\n    ")
        call = f'client.post(\n    "/{requests[0].path}",\n    body={written},\n    cast_to=ImagesResponse,\n)'
    return _program(requests, imports, client, f"response = {call}\nfor picture in response.data:", "picture.{}")


def _program(requests: Sequence[ImageRequest], imports: str, client: str, call: str, result: str) -> str:
    """A program around a call, whose last line begins the loop over pictures; `result` is what one of them holds."""
    in_base64 = requests[0].response_format == "b64_json"
    result = result.format(requests[0].response_format)
    # The result is on another host, so httpx fetches it alone, without the key.
    data = f"base64.b64decode({result})" if in_base64 else f"httpx.get({result}, timeout=60).raise_for_status().content"
    reader = _READER if _FILE.search(_json(_body(requests[0]))) else ""
    work = f"""{call}
    data = {data}
    Path(f"picture-{{next(numbers)}}.png").write_bytes(data)"""
    if len(requests) > 1:
        rows = [tuple(_own(request).values()) for request in requests]
        values = ", ".join(str(row if len(row) > 1 else row[0]) for row in rows)
        work = f"for {', '.join(_own(requests[0]))} in [{values}]:\n{work}".replace("\n", "\n    ")
    standard = "import os\nfrom itertools import count\nfrom pathlib import Path\n"
    first = "import base64\n" if in_base64 or reader else ""
    return f"{first}{standard}\n{imports}\n{reader}{client}numbers = count(1)\n{work}\n"


def _body(request: ImageRequest) -> dict[str, Any]:
    """The payload, with the name of a file in place of each embedded picture."""
    body = request.payload()
    for number, reference in enumerate(request.references, start=1):
        # Nothing else of the text may reach a shell.
        if found := re.match(r"data:image/([a-z]*)", reference):
            kind = found[1] or "png"
            file = f"image-{number}.{'jpg' if kind == 'jpeg' else kind}"
            body["image"][number - 1] = f"data:image/{kind};base64,…({file})"
    return body


def _own(request: ImageRequest) -> dict[str, int]:
    """What the requests of an order may differ in; no seed where the API draws it."""
    return {"n": request.n} if request.seed is None else {"seed": request.seed, "n": request.n}


def _python(requests: Sequence[ImageRequest], body: dict[str, Any]) -> str:
    """A body as Python, which reads texts as JSON writes them."""
    text = _SWITCH.sub(lambda found: f": {found[1].title()}", _json(body, 4))
    text = _FILE.sub(r'\1" + base64_of("\2")', _END.sub(",\n", text))
    return _VARIABLE.sub(r"\1\2", text) if len(requests) > 1 else text


def _json(value: object, indent: int = 2) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)
