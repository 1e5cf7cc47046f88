"""The websocket API: the same operations as REST, sessions, and the user data stream.

User events reach every subscription of the account in the order in which the exchange made them; faults may
delay, double or swallow them. Spot listenKeys no longer exist: subscribing is a signed request.
"""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import msgspec
from aiohttp import web

from smarttrade.matching import Account, Execution
from smarttrade.simulator import render_user_events
from smarttrade.simulator.call import Call
from smarttrade.simulator.connections import Connection, accept, frame, texts
from smarttrade.simulator.dispatch import Answer, Dispatcher, Kill
from smarttrade.simulator.errors import ApiError
from smarttrade.simulator.faults import EVENT_FAULTS, SILENCE_FAULTS, FaultKind
from smarttrade.simulator.market_operations import RATE_LIMITS
from smarttrade.simulator.operations import WEBSOCKET, Security
from smarttrade.simulator.parameters import Parameters
from smarttrade.simulator.security import Window, check_signed_parameters, find_user
from smarttrade.simulator.users import User

_encoder = msgspec.json.Encoder()


@dataclass(eq=False)
class Session:
    """One connection: who has logged on, and which accounts' events it gets."""

    connection: Connection
    user: User | None = None
    logged_on_ms: int = 0
    subscriptions: dict[int, User] = field(default_factory=dict)


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
        self.sessions: set[Session] = set()
        self._next_subscription = 0
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self, request: web.Request) -> web.StreamResponse:
        session = Session(await accept(request))
        session.connection.silent = bool(self.venue.faults.take(SILENCE_FAULTS, "*", "ws-api"))
        self.sessions.add(session)
        try:
            async for text in texts(session.connection):
                task = asyncio.create_task(self._handle(session, text))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
        finally:
            self.sessions.discard(session)
        return session.connection.socket

    async def _handle(self, session: Session, text: str) -> None:
        request_id: Any = None
        try:
            message = msgspec.json.decode(text)
            request_id = message.get("id")
            values = {k: to_text_value(v) for k, v in (message.get("params") or {}).items() if v is not None}
            answer = await self._run(session, str(message.get("method")), Parameters(values))
        except ApiError as error:
            answer = Answer(error.status, error.body())
        except (msgspec.DecodeError, AttributeError):
            answer = Answer(400, {"code": -1000, "msg": "Invalid JSON in request."})
        except Kill as kill:
            if kill.reset:
                session.connection.drop()
            return
        session.connection.write(frame(_encoder.encode(build_reply(request_id, answer))))

    async def _run(self, session: Session, method: str, parameters: Parameters) -> Answer:
        if method.startswith(("session.", "userDataStream.")):
            return Answer(200, self._session_method(session, method, parameters))
        operation = WEBSOCKET.get(method)
        if operation is None:
            raise ApiError(-1000, f"Unknown method '{method}'.")
        call = Call(self.venue, parameters, method)
        if operation.security is Security.SIGNED:
            call.user = self._identify(session, parameters)
            call.window = Window(parameters)
            call.check_deadline()
        return await self.dispatcher.run(operation, call)

    def _identify(self, session: Session, parameters: Parameters) -> User:
        if session.user is not None and parameters.get("apiKey") is None:
            return session.user
        user = find_user(self.venue, parameters.get("apiKey"))
        check_signed_parameters(user, parameters)
        return user

    # --- sessions and subscriptions -----------------------------------------------------------------

    def _session_method(self, session: Session, method: str, parameters: Parameters) -> dict[str, Any]:
        if method == "session.logon":
            session.user = self._authenticate(parameters)
            session.logged_on_ms = self.venue.clock.now_ms()
        elif method == "session.logout":
            session.user = None
        elif method == "userDataStream.subscribe.signature":
            return self._subscribe(session, self._authenticate(parameters))
        elif method == "userDataStream.subscribe":
            if session.user is None:
                raise ApiError(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
            return self._subscribe(session, session.user)
        elif method == "userDataStream.unsubscribe":
            self._unsubscribe(session, parameters.integer("subscriptionId"))
            return {}
        elif method != "session.status":
            raise ApiError(-1000, f"Unknown method '{method}'.")
        return self._status(session)

    def _authenticate(self, parameters: Parameters) -> User:
        user = find_user(self.venue, parameters.need("apiKey"))
        check_signed_parameters(user, parameters)
        Window(parameters).check(self.venue.clock.now_ms())
        return user

    def _subscribe(self, session: Session, user: User) -> dict[str, Any]:
        number = self._next_subscription
        self._next_subscription += 1
        session.subscriptions[number] = user
        return {"subscriptionId": number}

    def _unsubscribe(self, session: Session, number: int | None) -> None:
        if number is None:
            session.subscriptions.clear()
        else:
            session.subscriptions.pop(number, None)

    def _status(self, session: Session) -> dict[str, Any]:
        user = session.user
        return {
            "apiKey": user.key if user else None,
            "authorizedSince": session.logged_on_ms if user else None,
            "connectedSince": session.logged_on_ms,
            "returnRateLimits": True,
            "serverTime": self.venue.clock.now_ms(),
            "userDataStream": bool(session.subscriptions),
        }

    # --- user events --------------------------------------------------------------------------------

    def on_execution(self, account: Account, execution: Execution) -> None:
        if self._listens(account):
            self._send(account, render_user_events.build_execution_report(execution), "executionReport")

    def on_balance(self, account: Account, assets: list[str], now_ms: int) -> None:
        if self._listens(account):
            event = render_user_events.build_position_event(account, assets, now_ms)
            self._send(account, event, "outboundAccountPosition")

    def _listens(self, account: Account) -> bool:
        return any(user.account is account for s in self.sessions for user in s.subscriptions.values())

    def _send(self, account: Account, event: dict[str, Any], name: str) -> None:
        copies, delay_ms = 1, 0
        for fault in self.venue.faults.take(EVENT_FAULTS, account.name, name):
            if fault.kind is FaultKind.EVENT_DROP:
                return
            copies += fault.kind is FaultKind.EVENT_DUPLICATE
            delay_ms += fault.delay_ms
        payload = _encoder.encode(event)
        if delay_ms:
            asyncio.get_running_loop().call_later(delay_ms / 1000, self._deliver, account, payload, copies)
        else:
            self._deliver(account, payload, copies)

    def _deliver(self, account: Account, payload: bytes, copies: int) -> None:
        for session in self.sessions:
            for number, user in session.subscriptions.items():
                if user.account is account:
                    ready = frame(b'{"subscriptionId":%d,"event":%b}' % (number, payload))
                    for _ in range(copies):
                        session.connection.write(ready)

    async def close(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def build_reply(request_id: Any, answer: Answer) -> dict[str, Any]:
    """The websocket API's envelope."""
    content = {"result": answer.content} if answer.status == 200 else {"error": answer.content}
    limits = [{**limit, "count": 1} for limit in RATE_LIMITS]
    return {"id": request_id, "status": answer.status, **content, "rateLimits": limits}
