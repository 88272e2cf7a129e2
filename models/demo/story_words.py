"""The words of the small-story grammar: who can appear, what they own and where things happen.

Plain data with a few typed rows, so that the plots in story_plots.py can rely on world knowledge (a
squirrel climbs, a duck swims, a burrow belongs to a rabbit) that a trained model must learn and carry.
"""

from dataclasses import dataclass

GIRLS = ("Mia", "Lily", "Anna", "Sara", "Emma", "Lucy", "Rosa", "Nora", "Ella", "Zoe", "Ruby", "Ivy",
         "Clara", "Molly", "Julia", "Alice")
BOYS = ("Tom", "Ben", "Sam", "Max", "Leo", "Jack", "Finn", "Tim", "Oscar", "Noah", "Hugo", "Peter",
        "Adam", "Luke", "Felix", "Theo")

# Everyone's home, as a noun phrase without its article. A child has one of several.
CHILD_HOMES = ("small house by the sea", "tall house on a hill", "little cottage in the woods",
               "white house near the river", "big house with a red roof", "house with a blue door")
ANIMAL_HOMES = {
    "fox": "cozy den", "bear": "dark cave", "rabbit": "warm burrow", "mouse": "tiny hole",
    "cat": "soft basket", "dog": "wooden kennel", "duck": "nest of reeds", "frog": "quiet pond",
    "squirrel": "hollow tree", "owl": "nest in an old tree", "hedgehog": "bed of leaves",
    "turtle": "green garden",
}
FAVORITE_FOODS = {
    "fox": "berries", "bear": "honey cakes", "rabbit": "carrots", "mouse": "crackers",
    "cat": "fish cakes", "dog": "biscuits", "duck": "bread rolls", "frog": "plums",
    "squirrel": "nuts", "owl": "figs", "hedgehog": "pears", "turtle": "leaves", "girl": "cookies",
    "boy": "apples",
}

TRAITS = ("kind", "brave", "clever", "curious", "gentle", "cheerful", "shy", "quiet", "busy",
          "lively", "careful", "honest", "friendly", "patient", "polite", "playful")
HOBBIES = ("sing", "paint pictures", "count the stars", "climb trees", "pick flowers", "tell jokes",
           "run fast", "collect stones", "dance", "read stories", "watch the clouds", "bake bread")
FAMILY = ("mother", "father", "grandmother", "grandfather", "aunt", "uncle")
COLORS = ("red", "blue", "green", "yellow", "white", "purple", "orange", "pink", "silver", "brown")
TOYS = ("ball", "doll", "boat", "drum", "hat", "scarf", "book", "lantern", "whistle", "basket",
        "bell", "cup", "blanket", "puppet", "box", "key", "ribbon", "kite")
DECOYS = ("old shoe", "gray stone", "rusty spoon", "sleepy snail", "broken plate", "long stick",
          "white feather", "empty bottle", "pile of leaves", "wet sock", "tiny beetle", "dry branch")

# A day's weather and what may be said of it.
WEATHER = {
    "sunny": ("The sky was blue.", "The sun was shining.", "The birds were singing."),
    "windy": ("The wind blew the leaves around.", "The trees were swaying.", "The clouds moved fast."),
    "cold": ("There was ice on the grass.", "The air was fresh and clear.", "Snow lay on the roofs."),
    "warm": ("The air smelled of flowers.", "The bees were humming.", "The grass was soft."),
    "cloudy": ("The sky was gray.", "It looked like rain.", "The sun was hiding."),
    "foggy": ("It was hard to see far.", "The trees looked like ghosts.", "Everything was still."),
}

# Words that may stand for each other; {~glad} in a template draws one.
SYNONYMS = {
    "glad": ("happy", "glad", "proud", "pleased", "full of joy"),
    "sad": ("sad", "unhappy", "worried", "upset", "lonely"),
    "little": ("little", "small", "young"),
    "nice": ("nice", "pretty", "lovely", "beautiful", "wonderful", "fine"),
    "soon": ("Soon", "Just then", "After a while", "A little later", "A moment later"),
    "walked": ("walked", "ran", "went", "hurried"),
    "smiled": ("smiled", "laughed", "clapped", "nodded", "grinned"),
    "cried": ("cried", "called", "shouted", "said"),
    "said": ("said", "answered", "replied"),
    "asked": ("asked", "said", "wondered"),
    "whispered": ("whispered", "asked", "thought"),
    "sigh": ("sighed", "began to cry", "sat down on the ground", "did not know what to do",
             "felt very small", "wanted to go home"),
    "daytime": ("morning", "day", "afternoon"),
    "good_friend": ("a good friend", "so kind", "my best friend", "a true friend", "a great helper"),
    "comfort": ("Do not worry", "Do not cry", "Do not be sad", "Come with me", "Do not give up"),
    "yes": ("Yes", "Of course", "With pleasure"),
    "kindly": ("Do not worry", "Do not cry", "Do not be sad", "Stay in bed"),
    "long": ("for a long time", "all day", "until the evening", "until they were tired"),
}


def with_article(phrase):
    """'red ball' -> 'a red ball', 'old shoe' -> 'an old shoe', 'honest boy' -> 'an honest boy'."""
    return ("an " if phrase[0] in "aeiou" or phrase.startswith("honest") else "a ") + phrase


@dataclass(frozen=True)
class Being:
    """Somebody with a name; printing one prints the name."""
    name: str
    kind: str
    home: str
    female: bool

    def __str__(self):
        return self.name

    a = property(lambda self: with_article(self.kind))
    he = property(lambda self: "she" if self.female else "he")
    him = property(lambda self: "her" if self.female else "him")
    his = property(lambda self: "her" if self.female else "his")
    himself = property(lambda self: "herself" if self.female else "himself")
    food = property(lambda self: FAVORITE_FOODS[self.kind])
    is_child = property(lambda self: self.kind in ("girl", "boy"))
    # How a friend is mentioned for the first time: "Ben" or "Ruby the fox".
    full = property(lambda self: self.name if self.is_child else f"{self.name} the {self.kind}")


@dataclass(frozen=True)
class Thing:
    """An object with a color; the color must come back with it later in the story."""
    color: str
    noun: str

    def __str__(self):
        return f"{self.color} {self.noun}"

    a = property(lambda self: with_article(str(self)))
    the = property(lambda self: f"the {self}")


@dataclass(frozen=True)
class Place:
    """Somewhere to go, with what can be seen and where things can hide there."""
    the: str
    sight: str
    spots: tuple

    def __str__(self):
        return self.the


PLACES = (
    Place("the park", "the swans",
          ("under the bench", "behind the fountain", "near the swings", "beside the gate")),
    Place("the beach", "the waves",
          ("under the old boat", "behind a big rock", "in the wet sand", "near the pier")),
    Place("the forest", "the tall trees",
          ("under the ferns", "behind a fallen log", "inside a stump", "between the roots")),
    Place("the meadow", "the butterflies",
          ("in the tall grass", "under a bush", "among the flowers", "beside the fence")),
    Place("the market", "the fruit stands",
          ("under a table", "behind the barrels", "next to the cart", "near the well")),
    Place("the river", "the little fish",
          ("under the bridge", "among the reeds", "behind the mill", "on the muddy bank")),
)


@dataclass(frozen=True)
class Obstacle:
    """A place where a thing gets stuck and the animals that can fetch it, each in its own way."""
    how: str
    where: str
    why: str
    helpers: tuple


OBSTACLES = (
    Obstacle("got stuck in", "the old oak tree", "the tree was too tall",
             (("squirrel", "climbed up the trunk"), ("cat", "jumped from branch to branch"),
              ("owl", "flew up to the top"))),
    Obstacle("fell into", "the deep pond", "the water was too deep",
             (("duck", "swam across the water"), ("frog", "dived down to the bottom"),
              ("dog", "splashed into the water"))),
    Obstacle("fell into", "a narrow hole", "the hole was too small",
             (("mouse", "ran down the hole"), ("rabbit", "dug with quick paws"),
              ("hedgehog", "crawled into the dark"))),
    Obstacle("slid under", "a heavy rock", "the rock was too heavy",
             (("bear", "pushed the rock away"), ("fox", "dug under the rock"),
              ("turtle", "reached under the rock"))),
)

# What can be cooked; some of its parts are missing, and the neighbors who have them give them.
DISHES = (
    ("cake", ("eggs", "flour", "butter", "sugar")), ("soup", ("onions", "carrots", "beans", "salt")),
    ("pie", ("apples", "flour", "berries", "honey")), ("salad", ("onions", "beans", "nuts", "oil")),
)
# The sound, its harmless cause, what the hero does about it.
NOISES = (
    ("scratching", "a kitten in a box", "opened the box"),
    ("tapping", "a branch at the window", "moved the branch away"),
    ("squeaking", "a mouse with a sore foot", "put a leaf on its foot"),
    ("rustling", "a lost puppy", "gave the puppy some water"),
    ("humming", "a bee in a jar", "let the bee fly away"),
    ("bleating", "a lamb behind the fence", "opened the gate"),
)
ILLNESSES = (("a bad cold", "hot soup"), ("a fever", "cold water"), ("a sore throat", "warm milk"),
             ("a hurt leg", "a soft bandage"), ("a toothache", "sweet tea"))
TOOLS = ("glue", "string", "tape", "a needle and thread", "a hammer and nails")
PLANTS = (("sunflower", "as tall as a house"), ("rose", "sweet and soft"),
          ("pumpkin", "round and heavy"), ("tomato plant", "full of red fruit"),
          ("apple tree", "strong and green"), ("tulip", "bright and yellow"))
LANDMARKS = ("old well", "stone bridge", "broken fence", "tall pine", "gray tower", "empty barn",
             "big bell", "round pond")
# Things seen in passing, one of which may be said in the middle of a story.
DETAILS = (
    "{detail.A} bird [sat on a branch|flew by|hopped over the grass|sang a song].",
    "{detail.A} butterfly [sat on a flower|flew by|danced in the air].",
    "[Far away|Somewhere], a [bell rang|dog barked|horn sounded|child laughed].",
    "The [leaves|branches|clouds] moved [slowly|quietly|in the wind].",
    "[An old man|An old woman|A farmer|A tall girl] [walked by|passed by|waved] [with "
    "{detail.a} umbrella|in {detail.a} coat|on {detail.a} bicycle].",
    "[It was very quiet.|It was nearly noon.|The air was still.]",
)
SHELTERS = ("an old barn", "a dry cave", "a hollow tree", "a small hut", "an empty mill")
NUMBERS = ("no", "one", "two", "three", "four", "five", "six")
