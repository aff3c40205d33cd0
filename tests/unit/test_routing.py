"""What routes offer: the models they serve, at their own prices."""

from fractions import Fraction

from callsheet.credits import Credits
from callsheet.routing import Card, Offer, Pool, alone

MODEL = "kling-o1-video-edit"
HERE = Card(name="evolink")
CHEAP = Card(name="cheap", factor=Fraction("0.9"))
POOL = Pool(name="evolink", cards=(HERE, CHEAP))
OFFERS = POOL.offers(MODEL, Credits.of(36))


def test_the_cheapest_comes_first_and_of_the_same_price_the_first_of_the_file() -> None:
    assert [(offer.route, str(offer.price)) for offer in OFFERS] == [("cheap", "32.4"), ("evolink", "36")]
    alike = Pool(name="a", cards=(Card(name="a"), Card(name="b")))
    assert [offer.route for offer in alike.offers(MODEL, Credits.of(1))] == ["a", "b"]


def test_a_route_offers_nothing_for_a_model_that_it_does_not_serve() -> None:
    some = Card(name="some", models=frozenset({"kling-o3-video-edit"}))
    assert Pool(name="some", cards=(some,)).offers(MODEL, Credits.of(36)) == ()


def test_a_model_may_have_a_price_of_its_own_and_a_fraction_of_a_unit_rounds_half_up() -> None:
    card = Card(name="odd", factor=Fraction(2), factors={MODEL: Fraction("0.33333")})
    assert str(card.price(MODEL, Credits.of("63.84"))) == "21.2798"
    assert str(card.price("other", Credits.of("63.84"))) == "127.68"
    assert Card(name="half", factor=Fraction(1, 2)).price(MODEL, Credits(units=3)) == Credits(units=2)


def test_a_route_alone_has_the_catalogues_prices() -> None:
    assert alone("sandbox").offers(MODEL, Credits.of(36)) == (Offer(route="sandbox", price=Credits.of(36)),)
