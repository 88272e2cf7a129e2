"""The thirteen plots of the small-story grammar; each is a chain of causes told in templates.

What is drawn early comes back later: names, kinds, pronouns, homes, colors, hiding places, counts and
directions. So a model has to carry state across sentences to predict the text well. Template syntax:
corpus.py; opening and ending: story_parts.py.
"""

from story_parts import (ANIMALS, close_story, draw, draw_being, draw_distinct, draw_thing, feel_sad,
                         go_somewhere, introduce_toy, meet_friend, open_story, pass_time, thank)
from story_words import (COLORS, DECOYS, DISHES, FAMILY, ILLNESSES, LANDMARKS, NOISES, NUMBERS,
                         OBSTACLES, PLANTS, SHELTERS, TOOLS)


def lose_toy(tell):
    introduce_toy(tell)
    go_somewhere(tell, carrying=True)
    tell.say("When it was time to [go home|leave|eat], {toy.the} was [gone|nowhere to be seen|not "
             "there]. \"[Oh no!|Oh dear!] Where is my {toy.noun}?\" {~cried} {hero}.")
    feel_sad(tell)
    pass_time(tell)
    meet_friend(tell)
    tell.say("\"[What is wrong|Why are you so {~sad}|What happened], {hero}?\" asked {friend}. \"I [lost|"
             "cannot find] my {toy},\" {~said} {hero}. \"{~comfort},\" said {friend}. \"[I will help you|"
             "We will] find it.\"")
    draw_distinct(tell, ("spot_a", "spot_b", "spot_c"), tell.scope["place"].spots)
    draw_distinct(tell, ("decoy_a", "decoy_b"), DECOYS)
    tell.say_new_paragraph("First, they looked {spot_a}, but [they found only|there was only|they saw "
                           "nothing but] {decoy_a.a}. Then they looked {spot_b}, but [they found only|"
                           "there was only|they saw nothing but] {decoy_b.a}.")
    tell.say("[At last|Then|In the end], {friend} looked {spot_c}. [There was {toy.the}|And there it "
             "was|There lay {toy.the}]!")
    thank(tell, "friend", "hero")
    tell.say("{hero} [held {toy.the} tight|hugged {toy.the}|took {toy.the} home] and {~smiled}.")
    close_story(tell, "I lost my {toy}, but {friend} found it {spot_c},",
                "[a good friend helps you when you are sad|you should look after your things]")


def reach_toy(tell):
    introduce_toy(tell)
    kind = tell.scope["hero"].kind
    draw(tell, "obstacle", [row for row in OBSTACLES if kind not in dict(row.helpers)])
    tell.say_new_paragraph("One {~daytime}, {hero} was playing with {toy.the} when it {obstacle.how} "
                           "{obstacle.where}. {hero} [tried to get it back|wanted to get it|tried and "
                           "tried], but {obstacle.why}.")
    feel_sad(tell)
    pass_time(tell)
    helper_kind, tell.scope["feat"] = tell.choose(tell.scope["obstacle"].helpers)
    meet_friend(tell, helper_kind)
    tell.say("\"[Can you help me, {friend}?|Please help me, {friend}!|I need help!]\" said {hero}. \"My "
             "{toy} {obstacle.how} {obstacle.where}.\" \"[{~yes}|That is easy|{~comfort}],\" {~said} "
             "{friend}. \"I am {friend.a}, and I [can do that|know what to do].\"")
    tell.say("{friend} {feat} and [came back with|brought back] {toy.the}. \"Here is your {toy.noun},\" "
             "said {friend}.")
    thank(tell, "friend", "hero")
    tell.say("Then {hero} and {friend} [played with {toy.the}|sat by {obstacle.where} and talked] "
             "{~long}.")
    close_story(tell, "My {toy} {obstacle.how} {obstacle.where}, and {friend} got it back,",
                "[everyone is good at something|you can ask a friend for help]")


def share_food(tell):
    go_somewhere(tell)
    had, gave = tell.choose((3, 4, 5, 6)), tell.choose((1, 2))
    tell.scope.update(had=NUMBERS[had], gave=NUMBERS[gave], left=NUMBERS[had - gave])
    tell.say("{hero.He} had {had} {hero.food} in {hero.his} bag[.| and wanted to eat them.| for lunch.]")
    pass_time(tell)
    draw_being(tell, "friend")
    tell.say_new_paragraph("Then {hero} saw {friend.full} [under a tree|by the road|on a stone|near a "
                           "bush]. {friend} looked [{~sad}|tired|weak]. \"[What is wrong|Are you all right|"
                           "Can I help you], {friend}?\" asked {hero}. \"I am so hungry,\" {~said} {friend}. "
                           "\"I have [no food|nothing to eat|not eaten all day].\"")
    tell.say("{hero} [thought about it|looked at {hero.his} {hero.food}|did not wait]. Then {hero.he} gave "
             "{gave} of {hero.his} {hero.food} to {friend}. Now {hero} had only {left} left, but "
             "{hero.he} was {~glad}.")
    tell.say("{friend} ate and [felt strong again|felt much better|was happy again].")
    thank(tell, "hero", "friend")
    if tell.choose((True, False)):
        draw_thing(tell)
        tell.say("\"I want to give you something too,\" said {friend}. {friend.He} gave {hero} {toy.a}. "
                 "\"What a {~nice} {toy.noun}!\" {~cried} {hero}.")
        close_story(tell, "I gave {gave} of my {hero.food} to {friend} and got {toy.a},",
                    "[it is good to share|sharing makes two people happy]")
    else:
        tell.say("Then they played together {~long}.")
        close_story(tell, "I gave {gave} of my {hero.food} to {friend} and had {left} left,",
                    "[it is good to share|sharing makes two people happy]")


def cook_together(tell):
    tell.scope["dish"], parts = tell.choose(DISHES)
    draw_distinct(tell, ("part_a", "part_b"), parts)
    draw(tell, "cook", FAMILY)
    tell.say_new_paragraph("One {~daytime}, {hero} wanted to make {dish.a} for {hero.his} {cook}. But there "
                           "was no [|more ]{part_a} [and no|or] {part_b} in the kitchen.")
    tell.say("\"How can I make {dish.a} without {part_a} and {part_b}?\" {~asked} {hero}.")
    draw_being(tell, "friend")
    tell.say_new_paragraph("{hero} {~walked} to {friend.full}. \"Do you have some {part_a}?\" asked {hero}. "
                           "\"{~yes}, [take what you need|here you are|I have a lot],\" {~said} {friend}.")
    draw_being(tell, "neighbor")
    tell.say("Then {hero} {~walked} to {neighbor.full}. \"Do you have some {part_b}?\" asked {hero}. "
             "\"{~yes}, but I want to [help you|come with you|cook too],\" {~said} {neighbor}.")
    tell.say("{hero} took the {part_a} from {friend} and the {part_b} from {neighbor} and {~walked} home. "
             "{hero} and {neighbor} [worked hard|mixed everything in a big bowl|sang while they worked], "
             "and soon the {dish} was ready.")
    tell.say("{hero.His} {cook} tasted the {dish} and {~smiled}. \"[This is the best {dish} in the world|"
             "What a {~nice} {dish}|I like this {dish} very much]!\" said {hero.his} {cook}. They gave some "
             "{dish} to {friend} too.")
    close_story(tell, "I made {dish.a} with {part_a} from {friend} and {part_b} from {neighbor},",
                "[many hands make light work|neighbors can help each other]", away=False)


def follow_noise(tell):
    draw(tell, "weather", ("dark", "stormy", "windy", "cold", "quiet"))
    tell.scope["noise"], tell.scope["cause"], tell.scope["cure"] = tell.choose(NOISES)
    tell.say_new_paragraph("One {weather} night, {hero} could not sleep. {hero.He} heard a strange {noise} "
                           "sound [outside|near {hero.his} {hero.home}]. \"[What is that|Is it a monster|Who is "
                           "there]?\" {~whispered} {hero}. {hero.He} was [afraid|scared] and [hid under a "
                           "blanket|closed {hero.his} eyes|did not move].")
    draw_being(tell, "friend")
    tell.say("In the morning, {hero} told {hero.his} friend {friend.full} about the {noise} sound. "
             "\"[Let us look together|I will come with you|We must find out what it is],\" {~said} {friend}. "
             "\"[Two are braver than one|I am not afraid|Maybe it needs our help].\"")
    draw(tell, "light", COLORS)
    tell.say_new_paragraph("The next night, {friend} came with {light.a} lamp. They walked [slowly|quietly|"
                           "carefully] [into the dark|to the yard|around the corner] and heard the {noise} "
                           "again. {friend} held up the {light} lamp. It was only {cause}!")
    tell.say("{hero} {~smiled}. \"I was afraid of {cause},\" {hero.he} said. Then {hero} {cure}, and the "
             "{noise} stopped.")
    thank(tell, "friend", "hero")
    close_story(tell, "{friend} and I heard a {noise} sound, but it was only {cause},",
                "[things are less scary with a friend|it is better to look than to be afraid]",
                away=False)


def break_toy(tell):
    introduce_toy(tell)
    draw_being(tell, "friend")
    tell.say_new_paragraph("One {~daytime}, {hero.his} friend {friend.full} came to [play|visit]. \"What a "
                           "{~nice} {toy.noun}! May I [hold|see|try] it?\" asked {friend}. \"{~yes}, but [be "
                           "careful|do not drop it],\" {~said} {hero}.")
    tell.say("{friend} [tripped over a stone|slipped on the floor|was not careful|fell down], and {toy.the} "
             "broke. {hero} was [angry|very upset]. \"You broke the {toy.noun} from my {giver}!\" {hero.he} "
             "{~cried}.")
    tell.say("\"I am [so|very|really] sorry,\" {~said} {friend}. {friend.He} [looked at the ground|felt bad|"
             "{~sigh}].")
    draw(tell, "tool", TOOLS)
    tell.say_new_paragraph("The next {~daytime}, {friend} came back with {tool}. \"Let me fix [it|the "
                           "{toy.noun}],\" {friend.he} said. {friend} worked [all morning|for a long time|with "
                           "great care], and then {toy.the} was [whole again|as good as new].")
    tell.say("{hero} was not [angry|upset] any more. \"[I forgive you|We are still friends|You did that "
             "well], {friend},\" {hero.he} said. They [{~smiled}|hugged] and played with {toy.the} {~long}.")
    close_story(tell, "{friend} broke my {toy}, but {friend.he} fixed it with {tool},",
                "[friends are worth more than things|it is good to forgive a friend]")


def swap_toys(tell):
    introduce_toy(tell)
    go_somewhere(tell, carrying=True)
    draw_being(tell, "friend")
    tell.say("There {hero.he} met {friend.full}.")
    draw_thing(tell, "other")
    tell.say("{friend} had {other.a}. \"What a {~nice} {other.noun}!\" "
             "{~cried} {hero}. \"I like your {toy.noun} too,\" {~said} {friend}.")
    tell.say("\"[Let us swap for one day|I want to swap with you|We could swap until tomorrow],\" said "
             "{hero}. So {hero} gave {toy.the} to {friend}, and {friend} gave {other.the} to {hero}.")
    tell.say_new_paragraph("{hero} played with {other.the} [all day|until the evening|at home]. {hero.He} "
                           "liked it, but {hero.he} [began to miss|could not forget|thought of] {toy.the}. "
                           "{friend} [missed|thought of] {other.the} too.")
    tell.say("The next {~daytime}, they met at {place} again. {hero} gave back {other.the}, and {friend} "
             "gave back {toy.the}. \"[Now everything is right again|That was fun|Let us do it again some "
             "day],\" said {friend}.")
    pass_time(tell)
    thank(tell, "friend", "hero")
    close_story(tell, "I gave my {toy} to {friend} for a day and got it back,",
                "[you often love best what you already have|it is fun to share with a friend]")


def wait_out_storm(tell):
    go_somewhere(tell)
    draw(tell, "shelter", SHELTERS)
    tell.say_new_paragraph("[Suddenly|Then], the sky turned [dark|black|gray], and it began to rain. {hero} "
                           "ran to {shelter} to stay dry. Inside, {hero.he} [saw a shadow|saw two bright eyes|"
                           "heard a soft noise].")
    draw_being(tell, "friend")
    tell.say("\"Who are you?\" {~asked} {hero}. \"I am {friend.full},\" said a [small|soft|quiet] voice. \"I "
             "am [afraid of the thunder|cold and wet|all alone|lost].\"")
    draw_thing(tell)
    tell.say("{hero} sat down next to {friend}. {hero.He} took {toy.a} out of {hero.his} bag. \"Let us [tell "
             "stories about|make up a song about|play a game with] my {toy.noun},\" said {hero}. Soon "
             "{friend} [was not afraid any more|began to smile|forgot about the rain].")
    tell.say_new_paragraph("When the rain stopped, there was a [big|bright|{~nice}] rainbow over {place}. "
                           "\"Will you be my friend?\" asked {friend}. \"[Yes, always|{~yes}|I already am]!\" "
                           "{~said} {hero}.")
    tell.say("{hero} gave {toy.the} to {friend}, so that {friend.he} would [never forget {hero.him}|think of "
             "{hero.him} in the next storm|be less afraid].")
    thank(tell, "hero", "friend")
    close_story(tell, "I waited in {shelter} with {friend} and gave {friend.him} my {toy},",
                "[a new friend can be found anywhere|kind words help in a storm]")


def return_lost_thing(tell):
    go_somewhere(tell)
    draw(tell, "spot", tell.scope["place"].spots)
    draw_thing(tell)
    tell.say("Then {hero.he} saw something {spot}. It was {toy.a}. \"Whose {toy.noun} is this?\" {~asked} "
             "{hero}. \"Somebody must [miss|want|need] it.\"")
    draw_being(tell, "friend")
    tell.say_new_paragraph("First, {hero} {~walked} to {friend.full}. \"Is this your {toy.noun}?\" "
                           "asked {hero}.")
    draw_being(tell, "owner")
    tell.say("\"No, mine is not {toy.color},\" {~said} {friend}. \"But I [know|heard] that "
                           "{owner.full} lost {toy.a}.\"")
    pass_time(tell)
    tell.say("So {hero} {~walked} to {owner} and [knocked on the door|rang the bell]. {owner} [looked|was] "
             "{~sad}. But when {owner.he} saw {toy.the}, {owner.he} [jumped for joy|laughed|began to smile].")
    tell.say("\"You found my {toy.noun}! Where was it?\" asked {owner}. \"It was {spot},\" {~said} {hero}.")
    thank(tell, "hero", "owner")
    tell.say("{owner} gave {hero} [some {hero.food}|a big hug|a cup of tea|a kiss].")
    close_story(tell, "I found {toy.a} {spot} and gave it back to {owner},",
                "[it is good to be honest|giving something back feels good]")


def hide_and_seek(tell):
    go_somewhere(tell)
    draw_being(tell, "friend")
    tell.say("{friend.full} and")
    draw_being(tell, "third")
    tell.say("{third.full} were there too. \"Let us play hide and seek,\" said {hero}. \"I "
             "will count, and you two will hide.\" {hero} closed {hero.his} eyes and counted to [ten|"
             "twenty|a hundred].")
    draw_distinct(tell, ("spot_a", "spot_b", "spot_c"), tell.scope["place"].spots)
    tell.say_new_paragraph("{friend} hid {spot_a}, and {third} hid {spot_b}. \"Here I come!\" {~cried} {hero}. "
                           "{hero.He} looked {spot_c}, but [nobody was there|there was nobody].")
    pass_time(tell)
    tell.say("Then {hero.he} heard a [laugh|sneeze|cough|giggle] and looked {spot_a}. \"I found you, "
             "{friend}!\" {~cried} {hero}. \"But where is {third}?\" They [looked for|called] {third.him} "
             "together. [At last|In the end], they found {third.him} {spot_b}.")
    tell.say("\"[You found me|I was so quiet|That was fun]!\" {~cried} {third}. \"Now it is my turn to "
             "count.\" {hero}, {friend} and {third} played {~long}.")
    close_story(tell, "I played with {friend} and {third}, and {third} hid {spot_b},",
                "[a game is best with friends|you should never stop looking]")


def help_sick_friend(tell):
    draw_being(tell, "friend")
    tell.scope["ill"], tell.scope["remedy"] = tell.choose(ILLNESSES)
    tell.say_new_paragraph("One [cold|rainy|windy|gray] {~daytime}, {hero} waited for {hero.his} friend "
                           "{friend.full}, but {friend} did not come. So {hero} {~walked} to see {friend.him}. "
                           "{friend} was in bed with {ill}. \"I cannot [play|go out] today,\" said {friend} "
                           "in a [weak|sad|small] voice.")
    draw_thing(tell)
    tell.say("\"{~kindly},\" said {hero}. \"[I will help you get well|I will take care of you].\" {hero.He} "
             "{~walked} home and got {remedy} and {toy.a}. \"This is for you,\" said {hero}. \"[The "
             "{toy.noun} will keep you company|You can play with the {toy.noun}].\"")
    tell.scope["days"] = NUMBERS[tell.choose((2, 3, 4, 5))]
    tell.say_new_paragraph("{hero} came back every day for {days} days. After {days} days, {friend} felt [well|"
                           "strong|better] again. {friend.He} jumped out of bed and gave {toy.the} back to "
                           "{hero}.")
    thank(tell, "hero", "friend")
    tell.say("Then they played together {~long}.")
    close_story(tell, "{friend} had {ill}, but now {friend.he} is well again,",
                "[caring for a friend is good medicine|a small gift can help a lot]")


def grow_plant(tell):
    tell.scope["plant"], tell.scope["grown"] = tell.choose(PLANTS)
    draw(tell, "giver", FAMILY)
    tell.say_new_paragraph("One spring {~daytime}, {hero.his} {giver} gave {hero} a [tiny|small|little] seed. "
                           "{hero} put the seed into the ground and gave it [water|some water].")
    draw_being(tell, "friend")
    tell.say("{hero.His} friend {friend.full} [laughed|shook {friend.his} head]. \"That seed is too small. "
             "[It will never grow|Nothing will happen],\" said {friend}.")
    pass_time(tell)
    tell.say("But {hero} [did not give up|did not listen|only smiled]. Every [morning|evening|day], "
             "{hero.he} gave the seed some water and [sang to it|talked to it|kept it warm]. [One week|Two "
             "weeks|A month] went by, and nothing happened. Then a [green leaf|small stem] came out of the "
             "ground!")
    tell.say_new_paragraph("By summer, the seed was {plant.a}, {grown}. \"I was wrong,\" said {friend}. \"Your "
                           "{plant} is {~nice}.\" {hero} {~smiled}. \"Thank you, {friend}. Do you want to grow "
                           "{plant.a} too?\" {hero.he} asked.")
    tell.say("{hero} gave {friend} a seed, and they [planted it|put it into the ground] together.")
    close_story(tell, "{friend} and I planted a seed, and one day it will be {plant.a},",
                "[big things start small|good things take time]")


def find_way_home(tell):
    go_somewhere(tell)
    tell.say("[But then|Soon], {hero} was lost. {hero.He} could not [see|find] the way home.")
    feel_sad(tell)
    pass_time(tell)
    draw_being(tell, "friend", tell.choose(ANIMALS))
    tell.say_new_paragraph("{friend.A} [named|called] {friend} saw {hero.him}. \"Are you lost?\" asked {friend}. "
                           "\"Yes,\" {~said} {hero}. \"I want to go home to my {hero.home}.\"")
    draw_distinct(tell, ("mark_a", "mark_b"), LANDMARKS)
    draw(tell, "turn_a", ("left", "right"))
    draw(tell, "turn_b", ("left", "right"))
    tell.say("\"[That is easy|{~comfort}|I know the way],\" said {friend}. \"Turn {turn_a} at the {mark_a}. "
             "Then turn {turn_b} at the {mark_b}.\"")
    thank(tell, "friend", "hero")
    tell.say("{hero} {~walked} on. [Soon|After a while|Not far away], {hero.he} came to the {mark_a} and turned {turn_a}. Then {hero.he} "
             "came to the {mark_b} and turned {turn_b}. There was {hero.his} {hero.home}!")
    close_story(tell, "I was lost, but {friend} the {friend.kind} told me to turn {turn_a} at the {mark_a},",
                "[it is good to ask for help|you should listen with care]", away=False)


PLOTS = (lose_toy, reach_toy, share_food, cook_together, follow_noise, break_toy, swap_toys, wait_out_storm,
         return_lost_thing, hide_and_seek, help_sick_friend, grow_plant, find_way_home)


def tell(teller):
    """One whole story into `teller`."""
    open_story(teller)
    teller.choose(PLOTS)(teller)
