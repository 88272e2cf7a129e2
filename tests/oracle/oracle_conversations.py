"""Conversations for chat templates: briefs, several turns, functions and their answers, thoughts, all of Unicode."""

TOOLS = [
    {"type": "function", "function": {
        "name": "weather", "description": "The weather of a place, \"now\" <or> later & then",
        "parameters": {"type": "object", "required": ["place"], "properties": {
            "place": {"type": "string", "description": "a town’s name"},
            "unit": {"type": "string", "enum": ["celsius", "kelvin"], "default": "celsius"},
            "days": {"type": "array", "items": {"type": "integer"}, "nullable": True},
            "grid": {"type": "array", "items": {"type": "array", "items": {"type": "boolean"}}},
            "when": {"oneOf": [{"type": "string", "default": "now", "description": "a time"}, {"type": "number"}]},
            "either": {"type": ["string", "null"]},
            "more": {"type": "object", "properties": {"deep": {"type": "object"}, "x": {"type": "number"}},
                     "required": ["x"]}}}}},
    {"type": "function", "function": {"name": "dice", "description": "Würfelt 🎲",
                                      "parameters": {"type": "object", "properties": {}},
                                      "return": {"type": "integer"}}},
]


def user(text):
    return {"role": "user", "content": text}


def assistant(text, **more):
    return {"role": "assistant", "content": text, **more}


def call(name, arguments, identity="abcdef123"):
    return {"type": "function", "id": identity, "function": {"name": name, "arguments": arguments}}


BRIEF = {"role": "system", "content": "  Be short, and\nkind.\n"}
ASKED = user("Wie ist das Wetter in Zürich? 日本語も \U0001f600")
CALLED = {"role": "assistant", "content": None,
          "tool_calls": [call("weather", {"place": "Zürich", "days": [1, 2.5, -3e-7, 1e22], "deep": {"a": None, "b": True}})]}
CALLED_WITH_TEXT = assistant("Let me look.", tool_calls=[call("weather", {"place": "Bern"})])
ANSWERED = {"role": "tool", "content": "{\"degrees\": 21}", "tool_call_id": "abcdef123", "name": "weather"}
BASE = {"bos_token": "<s>", "eos_token": "</s>", "documents": None, "tools": None, "add_generation_prompt": True}


def conversations():
    """name -> the variables of a rendering"""
    turns = {
        "one": [user("Hello")],
        "brief": [BRIEF, user(" a question with spaces  ")],
        "brief_only": [BRIEF],
        "several": [BRIEF, user("1"), assistant("one\n"), user("2"), assistant(" two "), user("3\tthree")],
        "unicode": [user("naïve ﬃ e\u0301 \u200b\u00a0x \U0001f469\u200d\U0001f680 ''\" \\ </s> <|end|>"), assistant("\u2028ok\u0000"),
                    user("again \u3000")],
        "thinking": [user("Q"), assistant("<think>\nfirst\n</think>\n\nA"), user("R"),
                     assistant("B", reasoning_content="second", thinking="second"), user("S")],
        "thought_last": [user("Q"), assistant("<think>\nhm\n</think>\n\nA")],
        "wrong_order": [user("a"), user("b")],
        "wrong_role": [user("a"), {"role": "critic", "content": "no"}],
        "parts": [user([{"type": "text", "text": " look "}, {"type": "image"}, {"type": "text", "text": "there"}])],
        "empty": [user("")],
    }
    result = {name: {**BASE, "messages": messages} for name, messages in turns.items()}
    result["no_prompt"] = {**BASE, "messages": turns["several"] + [assistant("end")], "add_generation_prompt": False}
    result["offered"] = {**BASE, "messages": [BRIEF, ASKED], "tools": TOOLS}
    result["offered_plain"] = {**BASE, "messages": [user("x")], "tools": TOOLS[1:]}
    result["called"] = {**BASE, "messages": [ASKED, CALLED, ANSWERED], "tools": TOOLS}
    result["called_text"] = {**BASE, "messages": [BRIEF, ASKED, CALLED_WITH_TEXT, ANSWERED, ANSWERED, assistant("21°")],
                             "tools": TOOLS, "add_generation_prompt": False}
    result["two_calls"] = {**BASE, "messages": [user("x"), {"role": "assistant", "content": "", "tool_calls": [
        call("dice", {}), call("dice", {"sides": "6"}, "short")]}, ANSWERED, ANSWERED]}
    result["no_thinking"] = {**BASE, "messages": turns["one"], "enable_thinking": False, "builtin_tools": ["oven", "hob"],
                             "tools_with_user": False, "use_default_brief": True, "effort": "high"}
    result["kitchen"] = {**BASE, "messages": [user("x"), {"role": "assistant", "content": "", "tool_calls": [
        call("oven", {"heat": "200", "time": "1 h"})]}], "builtin_tools": ["oven", "hob"]}
    return result
