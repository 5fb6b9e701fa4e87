"""Unknown outcomes and the provider's list: one match and nobody else it could mean is adopted, all else stays unknown with the
evidence (sending.md section 3)."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from msgspec.structs import replace

from sms_connector.errors import ErrorKind, NotSent, OutcomeUnknown, ProviderRefused, RetrySafety, Throttled
from sms_connector.model.message import OutboundMessage
from sms_connector.model.send_request import SendOptions
from sms_connector.model.status import MessageStatus
from sms_connector.provider import ReportPage, ReportQuery
from sms_connector.sending.send import new_record
from sms_connector.store.message_record import MessageRecord, Phase
from sms_connector.tracking.reconciler import LISTS_PER_RUN, PAGES
from tests.fixtures.fake_provider import NO_PULL, ONE_BY_ONE, Stored
from tests.fixtures.nodes import SENDER, Node, World, draft, number

S = MessageStatus
TEXT = "Hello 0"


class Scene:
    """A node with an unknown message to number(0), and a provider's list to be filled."""

    def __init__(self, world: World, *, sender: str = SENDER, **options: object) -> None:
        self.world = world
        self.node: Node = world.node(**options)
        self.sender = sender
        self.record = self.unknown("msg_a")

    def unknown(
        self, id_: str, *, to: str | None = None, later: float = 0.0, text: str = TEXT, **values: object
    ) -> MessageRecord:
        at = self.world.clock.now + later
        record = new_record(draft(0, to=to, text=text, sender=self.sender), SendOptions(self.sender), id_, at=at)
        record.mark_unknown("no answer within 15 s", at=at, window=self.world.policy.unknown_window)
        for name, value in values.items():
            setattr(record, name, value)
        self.world.store.create([record])
        return record

    def listed(
        self, *, to: str | None = None, text: str = TEXT, sender: str = SENDER, later: float = 0.5, status: S = S.SENT
    ) -> Stored:
        message = OutboundMessage("elsewhere", to or number(0), sender, text)
        network = self.world.network
        stored = Stored(f"SM{len(network.stored) + 1}", message, self.world.clock.now + later, status, body=text)
        network.stored.append(stored)
        return stored

    def resolve(self, *more: MessageRecord) -> set[str]:
        self.world.clock.now += 2.0
        return self.node.reconciler.resolve([self.record, *more])


@pytest.fixture
def scene(world: World) -> Scene:
    return Scene(world)


# Name, what the list (and the ledger) has beside, and: is it adopted, is it absent, what the evidence says.
CASES: list[object] = [
    pytest.param(lambda s: None, False, True, "does not have it yet", id="nothing"),
    pytest.param(lambda s: s.listed(), True, False, "", id="one"),
    pytest.param(lambda s: [s.listed(), s.listed()], False, False, "has SM", id="two"),
    pytest.param(lambda s: s.listed(to=number(1)), False, True, "does not have it", id="to another recipient"),
    pytest.param(
        lambda s: s.listed(text="Hello 1"), False, False, "with another text", id="another text: providers change texts"
    ),
    pytest.param(lambda s: s.listed(text=""), False, False, "with another text", id="a text that was redacted"),
    pytest.param(
        lambda s: [
            s.listed(text="Hello 1"),
            s.unknown("msg_b", text="Hello 1", phase=Phase.DONE, status=S.SENT, provider_message_id="SM1"),
        ],
        False,
        True,
        "does not have it",
        id="another text, which is another message of ours",
    ),
    pytest.param(
        lambda s: [s.listed(text="Hello 1"), s.unknown("msg_b", text="Hello 1", phase=Phase.CALLING)],
        False,
        True,
        "does not have it",
        id="another text, which is that of another call of ours whose outcome is not recorded yet",
    ),
    pytest.param(
        lambda s: [s.listed(text="Hello 1"), s.listed(text="Hello 2"), s.unknown("msg_b", text="Hello 1")],
        False,
        False,
        "with another text",
        id="two other texts, of which one is that of another intent",
    ),
    pytest.param(lambda s: s.listed(later=75), False, True, "does not have it", id="made long after the last call"),
    pytest.param(lambda s: s.listed(sender="+15550000000"), False, True, "does not have it", id="from another sender"),
    pytest.param(lambda s: s.listed(later=-5), False, True, "does not have it", id="made before the intent"),
    pytest.param(
        lambda s: s.listed(later=-0.9), True, False, "", id="made in the second of the intent, told in whole seconds"
    ),
    pytest.param(lambda s: s.listed(status=S.FAILED), True, False, "", id="it failed: that is its outcome"),
    pytest.param(
        lambda s: [s.listed(), s.unknown("msg_b", phase=Phase.DONE, status=S.SENT, provider_message_id="SM1")],
        False,
        True,
        "does not have it",
        id="it is another message of ours",
    ),
    pytest.param(
        lambda s: [
            s.listed(),
            s.listed(),
            s.unknown("msg_b", phase=Phase.DONE, status=S.SENT, provider_message_id="SM1"),
        ],
        True,
        False,
        "",
        id="two, of which one is another message of ours",
    ),
    pytest.param(
        lambda s: [s.listed(), s.unknown("msg_b")],
        False,
        False,
        "alike: msg_b",
        id="one, and two intents it could mean",
    ),
    pytest.param(
        lambda s: [s.listed(), s.listed(), s.unknown("msg_b")], False, False, "alike: msg_b", id="two, and two intents"
    ),
    pytest.param(
        lambda s: [s.listed(), s.unknown("msg_b", phase=Phase.CALLING, status=S.ACCEPTED)],
        False,
        False,
        "alike: msg_b",
        id="one, and one like it is being called",
    ),
    pytest.param(
        lambda s: [s.listed(), s.unknown("msg_b", phase=Phase.DONE)],
        False,
        False,
        "alike: msg_b",
        id="one, and one like it was given up",
    ),
    pytest.param(
        lambda s: [s.listed(later=0.5), s.unknown("msg_b", later=60)],
        True,
        False,
        "",
        id="one, and the other intent is younger than it",
    ),
    pytest.param(
        lambda s: [s.listed(), s.unknown("msg_b", phase=Phase.DONE, status=S.ERROR)],
        True,
        False,
        "",
        id="one, and the other was refused",
    ),
    pytest.param(lambda s: [s.listed(), s.unknown("msg_b", to=number(1))], True, False, "", id="another's to another"),
    pytest.param(lambda s: [s.listed(), s.unknown("msg_b", text="Hello 1")], True, False, "", id="another's text"),
]


@pytest.mark.parametrize(("fill", "adopted", "absent", "evidence"), CASES)
def test_what_the_list_shows(
    scene: Scene, fill: Callable[[Scene], object], adopted: bool, absent: bool, evidence: str
) -> None:
    fill(scene)
    found = scene.resolve()
    record = scene.world.record("msg_a")
    assert record == scene.record, "what was learned is kept"
    assert (found == {"msg_a"}) is absent
    assert (record.provider_message_id is not None) is adopted
    if adopted:
        assert (record.phase, record.failure) == (Phase.DONE, None)
        assert record.history[-1][2] == "reconcile"
    else:
        assert (record.status, record.phase) == (S.UNKNOWN, Phase.UNKNOWN)
        assert evidence in record.evidence[-1]


POOL = "MG0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("sender", "adopted"),
    [
        pytest.param(POOL, True, id="by the same service, whatever number it chose"),
        pytest.param("MG" + "f" * 32, False, id="by another service"),
        pytest.param("+15550000000", False, id="from a plain number"),
    ],
)
def test_a_pool_is_asked_for_and_required(world: World, sender: str, adopted: bool) -> None:
    scene = Scene(world, sender=POOL)
    scene.listed(sender=sender)
    absent = scene.resolve()
    assert (scene.record.provider_message_id == "SM1", absent == {"msg_a"}) == (adopted, not adopted)


def test_a_recipient_in_another_spelling_is_the_same_person(world: World) -> None:
    scene = Scene(world)
    record = scene.unknown("msg_mx", to="+525562000000")
    scene.listed(to="+5215562000000")
    scene.node.provider.list_reports = (  # type: ignore[method-assign] # the provider's own list, however it was asked
        lambda query, page=None: ReportPage([stored.report() for stored in world.network.stored])
    )
    scene.resolve(record)
    assert record.provider_message_id == "SM1"


@pytest.mark.parametrize(
    ("listed", "adopted"),
    [
        pytest.param(1, True, id="as many media"),
        pytest.param(None, True, id="a provider that does not say how many"),
        pytest.param(2, False, id="more media"),
    ],
)
def test_media_without_a_text(world: World, listed: int | None, adopted: bool) -> None:
    """Twilio's list has no text of such a message, and so no digest."""
    scene = Scene(world)
    record = scene.unknown("msg_b", text="", media=1)
    report = replace(scene.listed(text="").report(), text_digest=None, media=listed)
    scene.node.provider.list_reports = lambda query, page=None: ReportPage([report])  # type: ignore[method-assign]
    absent = scene.node.reconciler.resolve([record])
    assert (record.provider_message_id is not None, absent) == (adopted, set())


@pytest.mark.parametrize(
    "error",
    [
        NotSent("the answer was 503"),
        OutcomeUnknown("no answer"),
        ProviderRefused("no right to read", kind=ErrorKind.NOT_PERMITTED, code=20003),
        Throttled("the node is busy", retry_after=3),
    ],
    ids=["not sent", "no answer", "refused", "throttled"],
)
def test_a_list_that_cannot_be_read(scene: Scene, error: Exception) -> None:
    scene.listed()
    scene.node.provider.list_error = error
    assert scene.resolve() == set(), "that it is not there can't be said"
    assert f"could not be read: {error}" in scene.record.evidence[-1]
    scene.node.provider.list_error = None
    scene.resolve()
    assert scene.record.provider_message_id == "SM1"


def world_final(scene: Scene) -> bool:
    return scene.world.record("msg_a").final


def test_the_window_ends_after_a_last_look(scene: Scene) -> None:
    scene.world.clock.now += scene.world.policy.unknown_window - 3
    scene.resolve()
    assert scene.record.phase == Phase.UNKNOWN
    scene.resolve()
    assert world_final(scene)
    record = scene.world.record("msg_a")
    assert record.failure is not None
    assert (record.status, record.failure.kind, record.failure.retry) == (S.ERROR, ErrorKind.NOT_SENT, RetrySafety.SAFE)
    assert scene.resolve() == set()
    assert len(scene.node.provider.calls) == 2, "what is final is not looked for"


@pytest.mark.parametrize(
    ("fill", "options"),
    [
        pytest.param(lambda s: s.listed(text="Hello 1"), {}, id="one could be meant"),
        pytest.param(lambda s: [s.listed(), s.listed()], {}, id="two could be meant"),
        pytest.param(lambda s: None, {"capabilities": NO_PULL}, id="no list"),
    ],
)
def test_what_is_not_proven_stays_unknown_with_the_evidence(
    world: World, fill: Callable[[Scene], object], options: dict[str, object]
) -> None:
    scene = Scene(world, **options)
    fill(scene)
    world.clock.now += world.policy.unknown_window
    scene.resolve()
    record = world.record("msg_a")
    assert (record.status, record.final, record.history[-1][3]) == (S.UNKNOWN, True, "window ended")
    assert record.evidence


def test_absence_takes_a_minute_after_the_last_call(world: World) -> None:
    """A short validity ends the window early; a node may die in a repetition at its end."""
    scene = Scene(world)
    record = new_record(draft(0), SendOptions(SENDER, validity_seconds=10), "msg_b", at=world.clock.now)
    record.mark_unknown("no answer", at=world.clock.now, window=900.0)
    world.store.create([record])
    world.clock.now += 50.0
    scene.resolve(record)
    assert not record.final
    record.phase, record.holder = Phase.CALLING, "node"
    record.mark_unknown("no answer", at=world.clock.now, window=900.0)
    world.store.save([(record, lambda _: None)])
    world.clock.now += 57.0
    scene.resolve(record)
    assert not record.final
    scene.resolve(record)
    assert record.status is S.ERROR


def test_at_the_end_of_the_window_it_may_still_be_found(scene: Scene) -> None:
    scene.listed()
    scene.world.clock.now += scene.world.policy.unknown_window
    scene.resolve()
    assert scene.record.provider_message_id == "SM1"


def test_a_blip_at_the_end_of_the_window_decides_nothing(scene: Scene) -> None:
    scene.listed()
    scene.world.clock.now += scene.world.policy.unknown_window
    scene.node.provider.list_error = NotSent("connection refused")
    scene.resolve()
    assert not world_final(scene)
    scene.node.provider.list_error = None
    scene.resolve()
    assert scene.record.provider_message_id == "SM1"


def test_a_list_that_is_refused_leaves_nothing_to_wait_for(scene: Scene) -> None:
    scene.node.provider.list_error = ProviderRefused("no right to read", kind=ErrorKind.NOT_PERMITTED, code=20003)
    scene.world.clock.now += scene.world.policy.unknown_window
    scene.resolve()
    assert world_final(scene)


@pytest.mark.parametrize(
    "kind", [ErrorKind.AUTHENTICATION, ErrorKind.ACCOUNT, ErrorKind.RATE_LIMITED, ErrorKind.UNAVAILABLE]
)
def test_a_refusal_that_will_end_decides_nothing(scene: Scene, kind: ErrorKind) -> None:
    scene.listed()
    scene.node.provider.list_error = ProviderRefused("not now", kind=kind, code=20003)
    scene.world.clock.now += scene.world.policy.unknown_window
    scene.resolve()
    assert not world_final(scene)
    scene.node.provider.list_error = None
    scene.resolve()
    assert scene.record.provider_message_id == "SM1"


def test_a_callback_that_settles_it_first_stays(scene: Scene) -> None:
    scene.listed()
    scene.world.store.apply(
        scene.world.record("msg_a"),
        lambda r: r.apply_report(
            replace(scene.world.network.stored[0].report(), status=S.DELIVERED), at=1.0, source="callback"
        ),
    )
    scene.resolve()
    assert scene.record.status is S.DELIVERED
    assert [source for _, _, source, _ in scene.record.history] == ["transport", "callback"]


def test_several_at_once_cost_few_lists(world: World) -> None:
    scene = Scene(world)
    others = [scene.unknown(f"msg_{i}", to=number(i), text=TEXT) for i in range(1, 60)]
    for i in range(60):
        scene.listed(to=number(i))
    scene.resolve(*others)
    assert all(record.provider_message_id for record in [scene.record, *others])
    assert len(scene.node.provider.calls) == 1


def test_one_of_several_is_settled_and_the_next_is_not_mistaken_for_it(world: World) -> None:
    """Two to different people; each finds its own although one list is read for both."""
    scene = Scene(world)
    other = scene.unknown("msg_b", to=number(1))
    scene.listed(to=number(1))
    assert scene.resolve(other) == {"msg_a"}
    assert (scene.record.provider_message_id, other.provider_message_id) == (None, "SM1")


def small_pages(world: World) -> Scene:
    return Scene(world, capabilities=replace(ONE_BY_ONE, reports_per_page=10))


def test_it_is_found_on_a_later_page(world: World) -> None:
    scene = small_pages(world)
    scene.listed()
    for _ in range(30):
        scene.listed(text="something else")
    scene.resolve()
    assert scene.record.provider_message_id == "SM1"
    assert len(scene.node.provider.calls) == 4


def test_a_list_too_long_to_read_says_nothing(world: World) -> None:
    """What is further back can't be called absent: it must not be sent again."""
    scene = small_pages(world)
    scene.listed()
    for _ in range(100):
        scene.listed(text="something else")
    assert scene.resolve() == set()
    assert scene.record.phase == Phase.UNKNOWN


def test_after_a_senders_list_that_is_too_long_recipients_are_asked_for_one_by_one(world: World) -> None:
    scene = small_pages(world)
    others = [scene.unknown(f"msg_{i}", to=number(i)) for i in range(1, 6)]
    scene.listed(to=number(3))
    for _ in range(100):
        scene.listed(to="+15559999999")
    absent = scene.resolve(*others)
    assert others[2].provider_message_id == "SM1"
    assert absent == {"msg_a", "msg_1", "msg_2", "msg_4", "msg_5"}


def test_a_list_that_was_cut_off_closes_nothing(world: World) -> None:
    """Not even when the window has ended: what is further back may be it."""
    scene = small_pages(world)
    scene.listed()
    for _ in range(100):
        scene.listed(text="something else")
    world.clock.now += world.policy.unknown_window
    scene.resolve()
    assert not world_final(scene)
    assert "longer than 5 pages" in scene.record.evidence[-1]
    del world.network.stored[60:]
    scene.resolve()
    assert not world_final(scene), "still one page too many"
    del world.network.stored[40:]
    scene.resolve()
    assert scene.record.provider_message_id == "SM1"


def test_whom_a_look_had_no_list_left_for_is_closed_by_a_later_one(world: World) -> None:
    """Ten recipients a look, others each time; a list that is never read to its end holds up nobody else."""
    scene = small_pages(world)
    others = [scene.unknown(f"msg_{i}", to=number(i)) for i in range(1, 35)]
    for _ in range(100):
        scene.listed(to=number(0), text="something else")
    world.clock.now += world.policy.unknown_window
    looks = 0
    while any(record.phase == Phase.UNKNOWN for record in others):
        before, open_ones = len(scene.node.provider.calls), sum(record.phase == Phase.UNKNOWN for record in others)
        scene.resolve(*others)
        assert len(scene.node.provider.calls) - before <= 2 * PAGES + LISTS_PER_RUN
        assert open_ones - sum(record.phase == Phase.UNKNOWN for record in others) <= LISTS_PER_RUN
        world.clock.now += 60.0
        looks += 1
    assert looks <= 12
    assert not world_final(scene)


def test_only_unknown_ones_are_looked_for(scene: Scene) -> None:
    scene.record.phase = Phase.DONE
    assert scene.resolve() == set()
    assert scene.node.provider.calls == []


def test_the_list_is_asked_from_the_intent_on(scene: Scene) -> None:
    asked: list[ReportQuery] = []
    inner = scene.node.provider.list_reports

    def list_reports(query: ReportQuery, page: str | None = None) -> object:
        asked.append(query)
        return inner(query, page)

    scene.node.provider.list_reports = list_reports  # type: ignore[assignment,method-assign]
    scene.resolve()
    assert [(query.to, query.sender) for query in asked] == [(number(0), None)]
    assert scene.record.created_at - 2 <= asked[0].since.timestamp() <= scene.record.created_at - 1
