"""Names for what nobody named: an adjective, a noun and a number, such as `brisk-otter-417`.

They are for people to tell things apart at a glance, and need not be unique.
"""

_ADJECTIVES = """
agile amber ample ardent bold breezy bright brisk calm candid clear clever cosy crisp curious
dapper deft eager early earnest fair fleet fond frank fresh gentle glad golden grand hardy hazel
honest humble jolly keen kind lively loyal lucid mellow merry mild modest neat nimble noble
patient placid plucky polite proud quick quiet rapid ready robust rustic sage sane silver
sincere snug sober spry stable steady still stout sturdy subtle sunny supple swift tidy tranquil
trim true upbeat valiant vivid warm wise witty zesty
"""
_NOUNS = """
acorn alder anchor aspen auk badger beacon beech birch bison brook canyon cedar comet coral
crane creek delta dune eagle elk elm ember falcon fern finch fjord fox gannet geyser glacier
glen grove gull harbour hare hawk hazel heron hill ibex inlet islet jay kestrel kite lagoon lake
larch lark lichen linnet lynx magpie maple marten meadow meteor moor moose moss newt oak ocelot
orchid osprey otter owl peak pebble petrel pine plover poplar prairie puffin quail quartz raven
reef ridge river robin rowan seal shore sparrow spruce stork summit swan swift teal thistle
thrush tide tundra vale valley vole walnut willow wren yew
"""
ADJECTIVES = tuple(_ADJECTIVES.split())
NOUNS = tuple(_NOUNS.split())
_NUMBERS = 1000


def nickname(seed: int) -> str:
    """The name that a non-negative number stands for; draw a random one of 64 bits."""
    seed, number = divmod(seed, _NUMBERS)
    seed, noun = divmod(seed, len(NOUNS))
    return f"{ADJECTIVES[seed % len(ADJECTIVES)]}-{NOUNS[noun]}-{number}"
