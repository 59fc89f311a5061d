"""Presence: who is here and where their selections are, on one instance and heard from others."""

from pyshare.core.presence import Announcement, Attendee, Language, News, Presence, Selection
from pyshare.core.protocol import Peer

ALICE, BOB, KIM = Peer("a", "Alice", "edit"), Peer("b", "Bob", "edit"), Peer("k", "Kim", "view_only")
CURSOR, STRETCH = Selection(3, ((1, 1),)), Selection(4, ((0, 2), (5, 3)))


def quiet(*peers: Peer) -> Presence:
    """Return the presence of instance "one" with `peers` connected to it, all news taken."""
    presence = Presence("one")
    for peer in peers:
        presence.join(peer)
    presence.take()
    return presence


# This instance's own


def test_nobody_is_here_at_first_and_there_is_no_news() -> None:
    presence = Presence("one")
    assert not presence.changed
    assert presence.take() == News((), (), None)
    assert presence.others("a") == []
    assert presence.find("a") is None


def test_a_client_that_joins_is_news_for_members_and_for_other_instances() -> None:
    presence = Presence("one")
    presence.join(ALICE)
    assert presence.changed
    assert presence.find("a") == Attendee(ALICE)
    assert presence.take() == News(("a",), (), Announcement("one", (Attendee(ALICE),)))


def test_news_is_taken_once() -> None:
    presence = Presence("one")
    presence.join(ALICE)
    presence.select("a", CURSOR)
    presence.take()
    assert not presence.changed
    assert presence.take() == News((), (), None)


def test_a_client_that_leaves_is_news_for_members_and_for_other_instances() -> None:
    presence = quiet(ALICE, BOB)
    presence.leave("a")
    assert presence.take() == News(("a",), (), Announcement("one", (), ("a",)))
    assert presence.find("a") is None
    assert presence.others("b") == []


def test_one_who_leaves_without_having_been_here_is_no_news() -> None:
    presence = quiet(ALICE)
    presence.leave("b")
    assert not presence.changed


def test_a_selection_is_news_of_the_selection_and_is_announced_with_its_client() -> None:
    presence = quiet(ALICE)
    presence.select("a", CURSOR)
    presence.select("a", STRETCH)
    assert presence.find("a") == Attendee(ALICE, STRETCH)
    assert presence.take() == News((), ("a",), Announcement("one", (Attendee(ALICE, STRETCH),)))


def test_a_selection_of_one_who_is_not_here_is_passed_over() -> None:
    presence = quiet(ALICE)
    presence.select("b", CURSOR)
    assert not presence.changed
    assert presence.find("b") is None


def test_one_who_joins_again_has_no_selection_left_from_before() -> None:
    presence = quiet(ALICE)
    presence.select("a", CURSOR)
    presence.join(Peer("a", "Alice again", "edit"))
    attendee = Attendee(Peer("a", "Alice again", "edit"))
    assert presence.find("a") == attendee
    assert presence.take() == News(("a",), (), Announcement("one", (attendee,)))


def test_one_who_came_and_left_between_two_takings_is_gone_in_the_news() -> None:
    presence = quiet()
    presence.join(ALICE)
    presence.select("a", CURSOR)
    presence.leave("a")
    assert presence.take() == News(("a",), (), Announcement("one", (), ("a",)))


def test_news_stands_in_the_order_in_which_it_happened() -> None:
    presence = quiet(ALICE, BOB)
    presence.select("b", CURSOR)
    presence.join(KIM)
    presence.select("a", CURSOR)
    presence.leave("b")
    news = presence.take()
    assert news.peers == ("k", "b")
    assert news.selections == ("a",)
    assert news.announcement == Announcement("one", (Attendee(KIM), Attendee(ALICE, CURSOR)), ("b",))


# Of others


def test_a_client_of_another_instance_is_news_for_members_and_is_not_announced_again() -> None:
    presence = quiet()
    assert presence.hear(Announcement("two", (Attendee(BOB, CURSOR), Attendee(KIM))), 0)
    assert presence.changed
    assert presence.take() == News(("b", "k"), ("b",), None)
    assert presence.find("b") == Attendee(BOB, CURSOR)


def test_an_instance_does_not_hear_itself() -> None:
    presence = quiet(ALICE)
    assert not presence.hear(Announcement("one", (Attendee(BOB),), ("a",), whole=True), 0)
    assert not presence.changed
    assert presence.others("x") == [Attendee(ALICE)]


def test_what_was_known_already_is_no_news() -> None:
    presence = quiet()
    announcement = Announcement("two", (Attendee(BOB, CURSOR),))
    presence.hear(announcement, 0)
    presence.take()
    presence.hear(announcement, 1)
    assert not presence.changed


def test_a_new_selection_elsewhere_is_news_of_the_selection_only() -> None:
    presence = quiet()
    presence.hear(Announcement("two", (Attendee(BOB, CURSOR),)), 0)
    presence.take()
    presence.hear(Announcement("two", (Attendee(BOB, STRETCH),)), 0)
    assert presence.take() == News((), ("b",), None)
    assert presence.find("b") == Attendee(BOB, STRETCH)


def test_a_new_name_elsewhere_is_news_of_the_peer_only() -> None:
    presence = quiet()
    presence.hear(Announcement("two", (Attendee(BOB, CURSOR),)), 0)
    presence.take()
    presence.hear(Announcement("two", (Attendee(Peer("b", "Robert", "edit"), CURSOR),)), 0)
    assert presence.take() == News(("b",), (), None)


def test_one_who_left_elsewhere_is_gone_and_one_who_was_never_there_is_no_news() -> None:
    presence = quiet()
    presence.hear(Announcement("two", (Attendee(BOB),)), 0)
    presence.take()
    presence.hear(Announcement("two", (), ("b", "x")), 0)
    assert presence.take() == News(("b",), (), None)
    assert presence.find("b") is None


def test_whoever_is_missing_in_a_whole_announcement_is_gone() -> None:
    presence = quiet()
    presence.hear(Announcement("two", (Attendee(ALICE), Attendee(BOB), Attendee(KIM))), 0)
    presence.take()
    presence.hear(Announcement("two", (Attendee(BOB),), whole=True), 0)
    assert presence.take() == News(("a", "k"), (), None)
    assert presence.others("x") == [Attendee(BOB)]


def test_a_whole_announcement_says_nothing_of_a_third_instances_clients() -> None:
    presence = quiet()
    presence.hear(Announcement("two", (Attendee(BOB),)), 0)
    presence.hear(Announcement("three", (Attendee(KIM),)), 0)
    presence.take()
    presence.hear(Announcement("three", (), ("b",), whole=True), 0)
    assert presence.take() == News(("k",), (), None)
    assert presence.others("x") == [Attendee(BOB)]


def test_one_connected_in_several_places_is_one_and_this_instance_knows_best() -> None:
    presence = quiet(ALICE)
    presence.hear(Announcement("two", (Attendee(ALICE, CURSOR), Attendee(BOB, CURSOR))), 0)
    presence.hear(Announcement("three", (Attendee(BOB, STRETCH),)), 0)
    assert presence.find("a") == Attendee(ALICE)
    assert presence.find("b") == Attendee(BOB, CURSOR)
    assert presence.others("x") == [Attendee(ALICE), Attendee(BOB, CURSOR)]
    assert presence.others("a") == [Attendee(BOB, CURSOR)]


def test_one_who_moved_to_another_instance_is_found_there() -> None:
    presence = quiet(ALICE)
    presence.hear(Announcement("two", (Attendee(ALICE, CURSOR),)), 0)
    presence.leave("a")
    assert presence.find("a") == Attendee(ALICE, CURSOR)


# Instances that fall silent


def test_the_clients_of_an_instance_that_fell_silent_are_gone() -> None:
    presence = quiet(ALICE)
    presence.hear(Announcement("two", (Attendee(BOB),)), 10)
    presence.hear(Announcement("three", (Attendee(KIM),)), 20)
    presence.take()
    presence.drop_silent(20)
    assert presence.take() == News(("b",), (), None)
    assert presence.others("x") == [Attendee(ALICE), Attendee(KIM)]


def test_a_heartbeat_keeps_an_instances_clients_and_is_no_news() -> None:
    presence, other = quiet(), Presence("two")
    presence.hear(Announcement("two", (Attendee(BOB),)), 10)
    presence.take()
    assert presence.hear(other.heartbeat(), 20)
    presence.drop_silent(20)
    assert not presence.changed
    assert presence.find("b") == Attendee(BOB)


def test_an_instance_that_fell_silent_and_speaks_again_is_heard_anew() -> None:
    presence = quiet()
    presence.hear(Announcement("two", (Attendee(BOB, CURSOR),)), 10)
    presence.drop_silent(20)
    presence.take()
    presence.hear(Announcement("two", (Attendee(BOB, CURSOR),)), 30)
    assert presence.take() == News(("b",), ("b",), None)


# What an instance says of itself


def test_a_whole_announcement_is_of_this_instances_clients_only() -> None:
    presence = quiet(ALICE)
    presence.hear(Announcement("two", (Attendee(BOB),)), 0)
    assert presence.whole() == Announcement("one", (Attendee(ALICE),), whole=True)
    assert presence.whole(asks=True) == Announcement("one", (Attendee(ALICE),), whole=True, asks=True)


def test_an_instance_is_known_once_it_was_heard_until_it_is_dropped() -> None:
    presence = quiet(ALICE)
    assert presence.knows("one"), "that is this one"
    assert not presence.knows("two")
    presence.hear(Announcement("two"), 0)
    assert presence.knows("two")
    presence.drop_silent(1)
    assert not presence.knows("two")


def test_two_instances_that_hear_each_others_news_know_the_same() -> None:
    one, two = Presence("one"), Presence("two")
    one.join(ALICE)
    two.join(BOB)
    two.hear(one.whole(asks=True), 0)
    one.hear(two.whole(), 0)
    for _ in range(2):
        one.select("a", STRETCH)
        two.join(KIM)
        for speaker, listener in ((one, two), (two, one)):
            announcement = speaker.take().announcement
            assert announcement is not None
            listener.hear(announcement, 0)
    expected = {"a": Attendee(ALICE, STRETCH), "b": Attendee(BOB), "k": Attendee(KIM)}
    for presence in (one, two):
        assert {attendee.peer.id: attendee for attendee in presence.others("x")} == expected


def test_a_selection_that_is_placed_anew_is_not_news_until_it_is_to_be_told_again() -> None:
    presence = Presence("one")
    presence.join(ALICE)
    presence.select("a", Selection(1, ((0, 1),)))
    presence.hear(Announcement("two", (Attendee(BOB, Selection(1, ((2, 2),))),)), 0)
    presence.take()

    presence.place("a", Selection(2, ((5, 6),)))
    presence.place("b", None)
    presence.place("nobody", None)

    assert not presence.changed
    ann, bob = presence.find("a"), presence.find("b")
    assert ann is not None
    assert bob is not None
    assert (ann.selection, bob.selection) == (Selection(2, ((5, 6),)), None)
    presence.tell_again("a")
    assert presence.take().selections == ("a",)


# The language


def test_a_language_that_is_chosen_is_news_for_members_and_for_other_instances_once() -> None:
    presence = quiet(ALICE)
    presence.choose("a", "go")
    go = Language("go", 1, "a")
    assert presence.changed
    assert presence.take() == News((), (), Announcement("one", language=go), go)
    # What holds already is no news, whoever chooses it.
    presence.choose("b", "go")
    assert presence.take() == News((), (), None)
    assert presence.language == go


def test_every_announcement_tells_the_language_so_that_none_misses_it() -> None:
    presence = quiet(ALICE)
    presence.choose("a", "go")
    presence.take()
    presence.leave("a")
    go = Language("go", 1, "a")
    assert presence.take().announcement == Announcement("one", gone=("a",), language=go)
    assert presence.heartbeat() == Announcement("one", language=go)
    assert presence.whole() == Announcement("one", whole=True, language=go)


def test_a_language_chosen_elsewhere_holds_if_it_is_newer() -> None:
    presence = quiet(ALICE)
    presence.hear(Announcement("two", language=Language("go", 5, "b")), 0)
    assert presence.take() == News((), (), None, Language("go", 5, "b"))
    presence.hear(Announcement("three", language=Language("rust", 4, "c")), 0)
    assert not presence.changed
    presence.choose("a", "sql")
    assert presence.language == Language("sql", 6, "a")


def test_of_two_languages_chosen_at_once_on_two_instances_one_holds_on_both() -> None:
    one, two = Presence("one"), Presence("two")
    one.choose("a", "go")
    two.choose("b", "rust")
    from_one, from_two = one.take().announcement, two.take().announcement
    assert from_one
    assert from_two
    one.hear(from_two, 0)
    two.hear(from_one, 0)
    assert one.language == two.language == Language("rust", 1, "b")
    assert one.changed
    assert not two.changed


def test_one_who_writes_before_it_was_announced_is_introduced_once_and_not_announced_again() -> None:
    presence = Presence("one")
    presence.join(ALICE)
    presence.wrote("nobody here")
    presence.wrote(ALICE.id)
    assert presence.introduction() == Announcement("one", (Attendee(ALICE),))
    assert presence.introduction() is None
    news = presence.take()
    assert (news.peers, news.announcement) == ((ALICE.id,), None)
    presence.wrote(ALICE.id)
    assert presence.introduction() is None


def test_one_who_has_written_and_left_is_introduced_and_then_gone() -> None:
    presence = Presence("one")
    presence.join(ALICE)
    presence.wrote(ALICE.id)
    presence.leave(ALICE.id)
    assert presence.introduction() == Announcement("one", (Attendee(ALICE),))
    assert presence.take().announcement == Announcement("one", gone=(ALICE.id,))


def test_members_are_told_once_of_those_who_are_untold_and_here() -> None:
    presence = Presence("one")
    presence.join(ALICE)
    assert presence.untold(["nobody", ALICE.id, ALICE.id]) == (ALICE.id,)
    assert presence.untold([ALICE.id]) == ()
    assert presence.take().peers == ()
    presence.leave(ALICE.id)
    assert presence.untold([ALICE.id]) == ()
    assert presence.take().peers == (ALICE.id,)
