"""Answers to HTTP requests: JSON, and an error's reason in plain words."""

from collections.abc import Mapping
from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse
from starlette.types import ExceptionHandler

from pyshare.core.errors import CloseCode, Closing, ConnectionRefused
from pyshare.store.interface import NotACodespace, StoreUnavailable

#: What a WebSocket is closed with, as HTTP says it.
_STATUSES: Mapping[CloseCode, HTTPStatus] = {
    CloseCode.NOT_AUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    CloseCode.NOT_ALLOWED: HTTPStatus.FORBIDDEN,
    CloseCode.NO_SUCH_CODESPACE: HTTPStatus.NOT_FOUND,
    CloseCode.GONE: HTTPStatus.GONE,
    CloseCode.TOO_MANY: HTTPStatus.TOO_MANY_REQUESTS,
    CloseCode.TRY_LATER: HTTPStatus.SERVICE_UNAVAILABLE,
    CloseCode.RESTARTING: HTTPStatus.SERVICE_UNAVAILABLE,
    CloseCode.OUR_FAULT: HTTPStatus.BAD_GATEWAY,
}
_RETRY = {"Retry-After": "1"}
_NOTHING = "there is nothing here; see /healthz and /readyz"
_NO_TEXT = (
    "there is nothing here; use /codespaces/TOKEN/text or /codespaces/TOKEN/links. In the page's address the token "
    "begins behind # and ends before the slash"
)


def answer(status: HTTPStatus, body: Mapping[str, object], headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return an answer that nobody keeps."""
    return JSONResponse(body, status, {"Cache-Control": "no-store", **(headers or {})})


def refusal(status: HTTPStatus, reason: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return an answer that says what is wrong."""
    return answer(status, {"error": status.phrase.lower().replace(" ", "_"), "reason": reason}, headers)


# Starlette would run these in threads if they were no async functions.
async def _on_refused(request: Request, error: Exception) -> JSONResponse:  # noqa: ASYNC124
    assert isinstance(error, HTTPException)
    status = HTTPStatus(error.status_code)
    reason = error.detail
    if status is HTTPStatus.NOT_FOUND and reason == status.phrase:
        reason = _NO_TEXT if request.url.path.startswith("/codespaces/") else _NOTHING
    if status is HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = ", ".join(sorted((error.headers or {}).get("Allow", "another method").split(", ")))
        reason = f"{request.method} is not allowed here; use {allowed}"
    return refusal(status, reason, error.headers)


async def _on_closing(request: Request, error: Exception) -> JSONResponse:  # noqa: ASYNC124
    assert isinstance(error, ConnectionRefused)
    closing: Closing = error.closing
    status = _STATUSES.get(closing.code, HTTPStatus.BAD_REQUEST)
    return refusal(status, closing.reason, _RETRY if status is HTTPStatus.SERVICE_UNAVAILABLE else None)


async def _on_store_unavailable(request: Request, error: Exception) -> JSONResponse:  # noqa: ASYNC124
    assert isinstance(error, StoreUnavailable)
    return refusal(HTTPStatus.SERVICE_UNAVAILABLE, f"{error.public}; try again later", _RETRY)


async def _on_not_a_codespace(request: Request, error: Exception) -> JSONResponse:  # noqa: ASYNC124
    return refusal(HTTPStatus.NOT_FOUND, "no such codespace")


async def _on_gone(request: Request, error: Exception) -> JSONResponse:  # noqa: ASYNC124
    # Nobody hears it.
    return refusal(HTTPStatus.BAD_REQUEST, "the connection ended before the body had come")


async def _on_failed(request: Request, error: Exception) -> JSONResponse:  # noqa: ASYNC124
    # Starlette raises it again behind this, and Hypercorn logs it.
    return refusal(HTTPStatus.INTERNAL_SERVER_ERROR, "the server failed")


#: What is answered when something is raised.
ON_ERRORS: Mapping[type[Exception], ExceptionHandler] = {
    HTTPException: _on_refused,
    ConnectionRefused: _on_closing,
    StoreUnavailable: _on_store_unavailable,
    NotACodespace: _on_not_a_codespace,
    ClientDisconnect: _on_gone,
    Exception: _on_failed,
}
