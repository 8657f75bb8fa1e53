"""Names for what nobody named: an adjective, a noun and a number, such as `nimble-otter-417`.

They are for people to tell things apart at a glance, and need not be unique. The adjectives are
among those that MLflow's servers give, by which its clients know a name that nobody chose.
"""

_ADJECTIVES = """
able adaptable adventurous agreeable ambitious awesome bold bright calm capable carefree caring
charming classy clean colorful dapper dashing dazzling debonair delightful efficient enchanting
entertaining fearless flawless fortunate gentle gifted honorable illustrious industrious
inquisitive intelligent invincible judicious kindly learned legendary likeable luminous lyrical
magnificent marvelous melodic merciful nimble orderly peaceful persistent placid polite popular
powerful rare receptive resilient respected righteous silent sincere skillful smiling spiffy
stately stylish tasteful thoughtful traveling treasured trusting unique upbeat useful valuable
victorious welcoming whimsical wise youthful zealous
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
