"""The websocket API: the same operations as REST, sessions, and subscriptions to user data.

Spot listenKeys no longer exist: subscribing is a signed request, or one of a session that has logged on.
"""

import asyncio
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from smarttrade.simulator.call import Call
from smarttrade.simulator.connections import Connection, accept, frame, texts
from smarttrade.simulator.dispatch import Answer, Dispatcher, Kill, build_refusal
from smarttrade.simulator.errors import ApiError
from smarttrade.simulator.faults import SOCKET_FAULTS
from smarttrade.simulator.limits import RATE_LIMITS, build_order_limits
from smarttrade.simulator.operations import WEBSOCKET, Security
from smarttrade.simulator.parameters import Parameters
from smarttrade.simulator.security import Window, check_signed_parameters, find_user
from smarttrade.simulator.time_unit import fine_answer
from smarttrade.simulator.user_streams import UserStreams
from smarttrade.simulator.users import User

_encoder = msgspec.json.Encoder()
_SESSION_WEIGHT = 2


@dataclass(eq=False)
class Session:
    """One connection, and who has logged on."""

    connection: Connection
    connected_ms: int
    user: User | None = None
    logged_on_ms: int = 0


def to_text_value(value: Any) -> str:
    """A JSON parameter as the signature sees it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


class ApiSocket:
    """All sessions."""

    def __init__(self, dispatcher: Dispatcher) -> None:
        self.dispatcher = dispatcher
        self.venue = dispatcher.venue
        self.streams = UserStreams(dispatcher.venue)
        self.sessions: set[Session] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        session = Session(await accept(request), self.venue.clock.now_ms())
        session.connection.suffer(self.venue.faults.take(SOCKET_FAULTS, "*", "ws-api"))
        self.sessions.add(session)
        try:
            async for text in texts(session.connection):
                task = asyncio.create_task(self._handle(session, text))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        finally:
            self.sessions.discard(session)
            self.streams.forget(session.connection)
        return session.connection.socket

    async def _handle(self, session: Session, text: str) -> None:
        request_id: Any = None
        parameters, method = Parameters({}), ""
        try:
            message = msgspec.json.decode(text)
            request_id, method = message.get("id"), str(message.get("method"))
            given = message.get("params") or {}
            parameters = Parameters({k: to_text_value(v) for k, v in given.items() if v is not None})
            answer = await self._run(session, method, parameters)
        except ApiError as error:
            answer = Answer(error.status, error.body())
        except (msgspec.DecodeError, AttributeError):
            answer = Answer(400, {"code": -1000, "msg": "Invalid JSON in request."})
        except Kill as kill:
            if kill.reset:
                session.connection.drop()
            return
        if session.connection.is_fine:
            answer.content = fine_answer(answer.content)
        reply = build_reply(request_id, answer)
        if parameters.get("returnRateLimits") != "false":
            reply["rateLimits"] = self._rate_limits(session, method)
        ready = frame(_encoder.encode(reply))
        session.connection.write(ready[: len(ready) // 2] if answer.truncated else ready)
        if answer.truncated:
            session.connection.drop_after_writing()

    async def _run(self, session: Session, method: str, parameters: Parameters) -> Answer:
        operation = WEBSOCKET.get(method)
        weight = operation.weigh(parameters) if operation else _SESSION_WEIGHT
        _, refusal = self.dispatcher.weights.use(session.connection.address, weight)
        if refusal is not None:
            return build_refusal(refusal, self.venue.clock.now_ms())
        if operation is None:
            return Answer(200, self._session_method(session, method, parameters))
        call = Call(self.venue, parameters, method)
        if operation.security is not Security.NONE:
            call.user = self._identify(session, parameters)
        self.dispatcher.skew(call)
        if operation.security is Security.SIGNED:
            call.window = Window(parameters)
            call.check_deadline()
        return await self.dispatcher.run(operation, call)

    def _identify(self, session: Session, parameters: Parameters) -> User:
        if session.user is not None and parameters.get("apiKey") is None:
            return session.user
        user = find_user(self.venue, parameters.get("apiKey"))
        check_signed_parameters(user, parameters)
        return user

    def _rate_limits(self, session: Session, method: str) -> list[dict[str, Any]]:
        operation = WEBSOCKET.get(method)
        user = session.user
        if operation is not None and operation.orders and user is not None:
            return build_order_limits(self.venue.order_counts, user.name, self.venue.clock.now_ms())
        return [{**RATE_LIMITS[0], "count": self.dispatcher.weights.used(session.connection.address)}]

    # --- sessions and subscriptions -----------------------------------------------------------------

    def _session_method(self, session: Session, method: str, parameters: Parameters) -> dict[str, Any]:
        match method:
            case "session.logon":
                self._log_on(session, parameters)
            case "session.logout":
                session.user = None
            case "session.status":
                pass
            case "userDataStream.subscribe.signature":
                return self._subscribe(session, self._authenticate(parameters))
            case "userDataStream.subscribe":
                if session.user is None:
                    raise ApiError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
                return self._subscribe(session, session.user)
            case "userDataStream.unsubscribe":
                self.streams.unsubscribe(session.connection, parameters.integer("subscriptionId"))
                return {}
            case "session.subscriptions":
                numbers = self.streams.of(session.connection)
                return {"subscriptions": [{"subscriptionId": number} for number in numbers]}
            case _:
                raise ApiError(-1000, f"Unknown method '{method}'.")
        return self._status(session)

    def _log_on(self, session: Session, parameters: Parameters) -> None:
        user = self._authenticate(parameters)
        if not user.may_log_on:
            raise ApiError(-4056, "Only Ed25519 API keys are supported for session.logon.")
        session.user = user
        session.logged_on_ms = self.venue.clock.now_ms()

    def _authenticate(self, parameters: Parameters) -> User:
        user = find_user(self.venue, parameters.need("apiKey"))
        check_signed_parameters(user, parameters)
        Window(parameters).check(self.venue.clock.now_ms())
        return user

    def _subscribe(self, session: Session, user: User) -> dict[str, Any]:
        faults = self.venue.faults.take(SOCKET_FAULTS, user.name, "userDataStream")
        session.connection.suffer(faults)
        return {"subscriptionId": self.streams.subscribe(session.connection, user)}

    def _status(self, session: Session) -> dict[str, Any]:
        user = session.user
        return {
            "apiKey": user.key if user else None,
            "authorizedSince": session.logged_on_ms if user else None,
            "connectedSince": session.connected_ms,
            "returnRateLimits": True,
            "serverTime": self.venue.clock.now_ms(),
            "userDataStream": bool(self.streams.of(session.connection)),
        }

    # --- ends ---------------------------------------------------------------------------------------

    def forget_user(self, user: User) -> None:
        """A key is void: its sessions and subscriptions end."""
        for session in list(self.sessions):
            if session.user is user:
                session.connection.drop()
        for connection in self.streams.connections(user.name):
            connection.drop()

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def build_reply(request_id: Any, answer: Answer) -> dict[str, Any]:
    """The websocket API's envelope."""
    reply = {"id": request_id, "status": answer.status}
    if answer.status == 200:
        return {**reply, "result": answer.content}
    error = answer.content if isinstance(answer.content, dict) else {"code": -1000, "msg": answer.content}
    if answer.retry_after_s is not None:
        error = {**error, "data": {"retryAfter": answer.retry_after_s}}
    return {**reply, "error": error}
