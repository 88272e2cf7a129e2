"""What every small story shares: drawing who and what is in it, its opening and its ending.

Templates (syntax in corpus.py) agree by construction: {hero.he} is "she" or "he" by the hero drawn, and
{toy.a} is "an orange ball" or "a red ball".
"""

from story_words import (ANIMAL_HOMES, BOYS, CHILD_HOMES, COLORS, DETAILS, FAMILY, GIRLS, HOBBIES, PLACES,
                         TOYS, TRAITS, WEATHER, Being, Thing)

ANIMALS = tuple(ANIMAL_HOMES)


def draw(tell, key, options):
    tell.scope[key] = tell.choose(options)


def draw_distinct(tell, keys, options):
    left = list(options)
    for key in keys:
        draw(tell, key, left)
        left.remove(tell.scope[key])


def draw_being(tell, key, kind=None):
    """A new somebody: a child half of the time, else an animal; names do not repeat in a story."""
    female = tell.choose((True, False))
    kind = kind or tell.choose((None, *ANIMALS), (len(ANIMALS), *(1 for _ in ANIMALS)))
    kind = kind or ("girl" if female else "boy")
    used = {value.name for value in tell.scope.values() if isinstance(value, Being)}
    name = tell.choose([name for name in (GIRLS if female else BOYS) if name not in used])
    home = ANIMAL_HOMES.get(kind, "")
    if key == "hero" and not home:
        home = tell.choose(CHILD_HOMES)
    tell.scope[key] = Being(name, kind, home, female)


def draw_thing(tell, key="toy"):
    used = {value.noun for value in tell.scope.values() if isinstance(value, Thing)}
    color = tell.choose(COLORS)
    tell.scope[key] = Thing(color, tell.choose([noun for noun in TOYS if noun not in used]))


def open_story(tell):
    way = tell.choose(("once", "lived", "named"))
    if way == "once":
        draw(tell, "trait", TRAITS)
        tell.say("[Once upon a time, there was|There once was|Once there was|Long ago, there was] "
                 "{trait.a}")
        draw_being(tell, "hero")
        tell.say("{hero.kind} [named|called] {hero}. {hero.He} lived in {hero.home.a}[.| with "
                 "{hero.his} family.| near {hero.his} friends.]")
    else:
        draw_being(tell, "hero")
        tell.say("In {hero.home.a}[| far away], there lived" if way == "lived" else "{hero} was")
        draw(tell, "trait", TRAITS)
        tell.say("{trait.a} {hero.kind} [named|called] {hero}." if way == "lived" else
                 "{trait.a} [|{~little} ]{hero.kind} who lived in {hero.home.a}.")
    tell.scope["likes"] = tell.choose((True, False))
    if tell.scope["likes"]:
        draw(tell, "hobby", HOBBIES)
        tell.say("{hero} [liked|loved] to {hobby}[| every day| more than anything].")


def introduce_toy(tell):
    draw_thing(tell)
    tell.say("{hero} [|was {~glad} because {hero.he} ]had {toy.a}.")
    draw(tell, "giver", FAMILY)
    tell.say("[It was a gift from "
             "{hero.his} {giver}.|{hero.His} {giver} had [made|bought|found] it for {hero.him}.|{hero.He} got "
             "it from {hero.his} {giver}.]")


def go_somewhere(tell, carrying=False):
    draw(tell, "weather", tuple(WEATHER))
    draw(tell, "daytime", ("morning", "day", "afternoon"))
    draw(tell, "place", PLACES)
    tell.say_new_paragraph("[One {weather} {daytime}, {hero}|It was a {weather} {daytime}, so {hero}] "
                           + ("took {toy.the} to {place}." if carrying else "{~walked} to {place}."))
    if tell.choose((True, False)):
        tell.say(tell.choose(WEATHER[tell.scope["weather"]]))
    tell.say("{hero} [watched {place.sight}|looked at {place.sight}|played|ran and jumped|danced] "
             "[and sang a song|for a long time|until {hero.he} was tired].")


def meet_friend(tell, kind=None):
    """The friend comes to where the hero is."""
    draw_being(tell, "friend", kind)
    tell.say("{~soon}, {hero.his} friend {friend.full} [came by|came along|walked up to {hero.him}|"
             "heard {hero.him}].")


def pass_time(tell):
    """Half of the time, say something that was seen or heard meanwhile."""
    if tell.choose((True, False)):
        template = tell.choose(DETAILS)
        if "{detail." in template:
            draw(tell, "detail", COLORS)
        tell.say(template)


def feel_sad(tell):
    tell.say("[{hero.He}|{hero}] [was very {~sad}|was {~sad}|{~sigh}].")


def thank(tell, giver, receiver):
    """`giver` and `receiver` are scope keys: who is thanked, and who says it."""
    tell.say(f"\"Thank you[| so much], {{{giver}}}!\" {{~cried}} {{{receiver}}}. \"You are "
             "{~good_friend}.\"")
    if tell.choose((True, False)):
        tell.say(f"{{{giver}}} [{{~smiled}}|was {{~glad}}].")


def close_story(tell, summary, lesson, away=True):
    """The ending: a talk at home about what happened, going home, the lesson, or the day after.

    `summary` is said by the hero; `away` tells that the story has left the hero away from home.
    """
    way = tell.choose(("talk", "lesson", "next", "home") if away else ("talk", "lesson", "next"))
    if way == "talk":
        draw(tell, "listener", FAMILY)
        tell.say_new_paragraph(
            "[That evening|That night|At home], {hero.his} {listener} asked, \"What did you do today, "
            "{hero}?\" \"" + summary + "\" {~said} {hero}. {hero.His} {listener} [{~smiled}|was {~glad}|"
            "was proud of {hero.him}|gave {hero.him} a [hug|kiss|cookie]].")
    elif way == "home":
        tell.say_new_paragraph(
            "When [the sun went down|it was dark|the stars came out], {hero} {~walked} [home|back] to "
            "{hero.his} {hero.home}. {hero.He} was [{~glad}|tired but {~glad}] and soon fell asleep.")
    elif way == "lesson":
        tell.say_new_paragraph(
            "[{hero} learned|That day, {hero} learned|So {hero} learned] that " + lesson + ". [From that "
            "day on|After that], [everyone|{hero.his} family] said that {hero.he} was not only {trait} but "
            "also [wise|a good friend|very strong].")
    else:
        hobby = "{hobby} again" if tell.scope["likes"] else "play again"
        tell.say_new_paragraph(
            "The next {~daytime}, {hero} went out to " + hobby + ". {hero.He} was {~glad}, and "
            "{hero.he} [told everyone|never forgot] what had happened.")
    if tell.choose((True, False)):
        tell.say("The end.")
