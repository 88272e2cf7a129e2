"""Small random templates: expressions and statements over a few variables, most of them meaningful."""

VARIABLES = {
    "n": 7, "m": -3, "z": 0, "r": 2.5, "t": True, "f": False, "nothing": None, "s": "Hello, World", "e": "",
    "u": "Äpfel ß 日本 \U0001f600 e\u0301", "w": "  a b\tc\n d  ", "l": [3, 1, 2], "names": ["beta", "Alpha", "gamma", "alpha"],
    "mixed": [1, "1", True, None, 2.0, [1], {"k": 1}], "nested": [[1, 2], [3], []], "d": {"b": 1, "a": "x", "items": 3},
    "rows": [{"id": 2, "name": "Zoë", "tags": ["p", "q"], "on": True}, {"id": 1, "name": "bob", "tags": [], "on": False},
             {"id": 3, "name": "Eve"}],
    "j": {"text": "a\"b\\c\n\u0001/é\u007f", "list": [1, 2.0, 1e-7, 123456789.125, 1e16], "deep": {"x": [{}, []]}},
}
TEXTS = ["s", "e", "u", "w", "'x'", "\"it's\"", "'a,b,,c'", "'line\\none\\n\\ntwo\\n'", "'\\u00e9\\t|'", "d.a", "rows[0].name",
         "names[1]", "s[1:5]", "s[::-1]", "u[2]", "w.strip()"]
NUMBERS = ["n", "m", "z", "r", "1", "42", "0.1", "1e3", "2.50", "l[0]", "l|length", "rows[1].id", "(n - m)", "s.count('l')", "l[-1]"]
LISTS = ["l", "names", "nested[0]", "[1, 'b', none]", "s.split(', ')", "(1, 2)", "range(4)|list", "names[1:]", "l[::-1]", "d.keys()|list",
         "w.split()", "'a,b,,c'.split(',', 1)", "nested"]
TEXT_FILTERS = ["upper", "lower", "title", "capitalize", "trim", "trim('Hd ')", "replace('l', 'L')", "replace('l', '', 1)", "length",
                "first", "last", "list", "reverse", "indent", "indent(2, true)", "indent('> ', blank=true)", "tojson", "default('q')",
                "default('q', true)", "int", "float", "string", "safe", "e", "join('-')", "list|tojson(ensure_ascii=true)"]
NUMBER_FILTERS = ["abs", "round", "round(1)", "round(1, 'floor')", "round(method='ceil')", "int", "float", "string", "tojson", "default(3)"]
LIST_FILTERS = ["length", "first", "last", "list", "join(', ')", "join", "tojson", "tojson(indent=2)", "sort", "sort(reverse=true)",
                "unique|list", "map('string')|list", "map('upper')|join", "select('string')|list", "reject('none')|list", "max", "min",
                "select|list", "reverse|list", "map('default', 'd')|list", "select('in', [1, 2])|list", "sum", "string",
                "tojson(separators=(',', ':'))", "count", "reject('equalto', 1)|list", "select('gt', 1)|list", "map('length')|list"]
ROW_FILTERS = ["map(attribute='name')|join(' ')", "selectattr('on')|map(attribute='id')|list", "rejectattr('on')|list|length",
               "selectattr('id', 'gt', 1)|map(attribute='name')|list", "map(attribute='tags.0', default='-')|join('/')",
               "sort(attribute='name')|map(attribute='id')|list", "selectattr('tags', 'defined')|list|tojson", "sum(attribute='id')",
               "selectattr('name', 'equalto', 'bob')|first", "map(attribute='on')|list", "selectattr('on', 'undefined')|list",
               "max(attribute='id')", "unique(attribute='on')|list|length", "join('+', attribute='name')",
               "tojson(sort_keys=true, indent=1)", "rejectattr('name', 'in', ['bob', 'Eve'])|list"]
METHODS = ["upper()", "strip()", "lstrip()", "rstrip()", "strip('Hd')", "split()", "split('l')", "split('o', 1)", "startswith('H')",
           "endswith('ld')", "startswith(('x', 'H'))", "replace('o', '0')", "lower()", "title()", "capitalize()", "find('l')",
           "count('l')", "splitlines()", "isdigit()", "isalpha()", "isupper()", "islower()", "rsplit('l', 1)", "partition(',')",
           "removeprefix('He')", "removesuffix('ld')", "join(['a', 'b'])", "join(names)", "index('l')", "isspace()", "isalnum()",
           "splitlines(true)"]
TESTS = ["defined", "undefined", "none", "string", "mapping", "iterable", "sequence", "number", "integer", "float", "boolean", "true",
         "false", "odd", "even", "divisibleby 3", "divisibleby(2)", "eq 7", "in [1, 7, 's']", "sameas true", "gt 2", "le(3)", "lower",
         "upper", "ne 'x'", "callable", "not none", "not string", "equalto('x')"]
ANY = ["missing", "nothing", "t", "f", "mixed", "d", "rows", "j", "nested", "d.missing", "d['b']", "l[9]", "s[99]", "d.get('b')",
       "d.get('zz', 5)", "d.items()|list", "d.values()|list", "d|items|list", "d|dictsort", "d|dictsort(by='value')", "mixed[6].k",
       "{'a': n, 1: 'x', none: t}", "{}", "[]", "()", "(1,)", "rows[-1]", "j.list", "j.deep.x", "dict(a=1)", "namespace(q=2).q",
       "missing.deeper", "nothing.x", "n.x", "rows[0]['tags'][0]", "'%s' ~ n", "none", "True", "[[], {}, '']", "{'k': {'k': [n]}}"]


class Generator:
    def __init__(self, source):
        self.source = source

    def pick(self, choices):
        return self.source.choice(choices)

    def text(self, depth):
        options = [lambda: self.pick(TEXTS)]
        if depth:
            options += [lambda: f"{self.text(depth - 1)} ~ {self.value(depth - 1)}", lambda: f"({self.text(depth - 1)} + {self.text(depth - 1)})",
                        lambda: f"({self.text(depth - 1)}).{self.pick(METHODS)}", lambda: f"{self.pick(TEXTS)}|{self.pick(TEXT_FILTERS)}",
                        lambda: f"({self.text(depth - 1)})[{self.slice()}]", lambda: f"{self.pick(TEXTS)} * {self.pick(['0', '2', '3'])}"]
        return self.pick(options)()

    def slice(self):
        parts = [self.pick(["", "1", "-2", "3", "n", "99", "-99"]) for _ in range(2)] + [self.pick(["", "", "2", "-1"])]
        return f"{parts[0]}:{parts[1]}" + (f":{parts[2]}" if parts[2] else "")

    def number(self, depth):
        if not depth:
            return self.pick(NUMBERS)
        left, right = self.number(depth - 1), self.number(depth - 1)
        options = [f"({left} {self.pick(['+', '-', '*', '/', '//', '%'])} {right})", f"{self.pick(NUMBERS)}|{self.pick(NUMBER_FILTERS)}",
                   f"-{self.pick(NUMBERS)}", f"{self.pick(['2', 'n', 'm'])} ** {self.pick(['2', '3', '0'])}", self.pick(NUMBERS)]
        return self.pick(options)

    def list(self, depth):
        options = [lambda: self.pick(LISTS), lambda: f"{self.pick(LISTS)}|{self.pick(LIST_FILTERS)}", lambda: f"rows|{self.pick(ROW_FILTERS)}"]
        if depth:
            options += [lambda: f"({self.pick(LISTS)} + {self.pick(LISTS)})", lambda: f"({self.pick(LISTS)})[{self.slice()}]",
                        lambda: f"[{self.value(depth - 1)}, {self.value(depth - 1)}]"]
        return self.pick(options)()

    def condition(self, depth):
        if not depth:
            return self.pick(["t", "f", "n", "missing", "e", "l", "nothing", "nested[2]"])
        options = [lambda: f"{self.value(depth - 1)} is {self.pick(TESTS)}", lambda: f"not {self.condition(depth - 1)}",
                   lambda: f"({self.condition(depth - 1)} {self.pick(['and', 'or'])} {self.condition(depth - 1)})",
                   lambda: f"{self.number(depth - 1)} {self.pick(['<', '<=', '>', '>=', '==', '!='])} {self.number(depth - 1)}",
                   lambda: f"{self.text(0)} {self.pick(['in', 'not in'])} {self.pick(['s', 'names', 'd', 'u', 'mixed'])}",
                   lambda: f"{self.pick(NUMBERS)} < {self.pick(NUMBERS)} < {self.pick(NUMBERS)}", lambda: f"{self.value(0)} == {self.value(0)}"]
        return self.pick(options)()

    def value(self, depth):
        kinds = [self.text, self.number, self.list, self.condition]
        roll = self.source.random()
        if roll < 0.15:
            return self.pick(ANY)
        if depth and roll < 0.25:
            other = f" else {self.value(depth - 1)}" if roll < 0.22 else ""
            return f"({self.value(depth - 1)} if {self.condition(depth - 1)}{other})"
        return self.pick(kinds)(depth)

    def tag(self, inside):
        return f"{{%{self.pick(['', '', '-', '+'])} {inside} {self.pick(['', '', '-', '+'])}%}}{self.pick(['', '', ' ', chr(10), chr(10) + '  '])}"

    def output(self, depth):
        return f"{{{{{self.pick(['', '', '-'])} {self.value(depth)} {self.pick(['', '', '-'])}}}}}{self.pick(['', ' ', chr(10), ', '])}"

    def loop(self, depth):
        walked = self.pick([*LISTS, "d", "d.items()", "s", "rows", "missing", "range(3)", "mixed", "nested[2]", "names|sort"])
        target = "k, v" if "items" in walked else "x"
        chosen = self.pick(["", "", f" if {target[0]} is {self.pick(TESTS)}", " if loop is undefined"])
        part = self.pick(["index", "index0", "first", "last", "length", "revindex", "revindex0", "previtem", "nextitem", "cycle('a', 'b')",
                          "depth", "changed(x)"])
        body = self.pick([f"{{{{ {target[0]} }}}}", f"{{{{ loop.{part} }}}};", self.body(depth - 1),
                          self.tag("if loop.index > 2") + self.tag(self.pick(["break", "continue"])) + self.tag("endif") + f"<{{{{ {target[0]} }}}}>",
                          self.tag("set n = n + 1") + "{{ n }}", self.tag("set ns.c = ns.c ~ loop.index") + "."])
        other = self.tag("else") + "none" if self.source.random() < 0.3 else ""
        return self.tag("set ns = namespace(c='')") + self.tag(f"for {target} in {walked}{chosen}") + body + other + self.tag("endfor") + "{{ ns.c }}{{ n }}"

    def branch(self, depth):
        other = self.pick(["", self.tag(f"elif {self.condition(1)}") + "B", self.tag("else") + self.body(depth - 1)])
        return self.tag(f"if {self.condition(2)}") + self.body(depth - 1) + other + self.tag("endif")

    def macro(self, depth):
        call = self.pick(["g(1)", "g(1, 2)", "g(b=3)", "g('x', c=s)", "g()", "g(1)|upper"])
        return self.tag("macro g(a, b=m, c='d')") + f"[{{{{ a }}}}{{{{ b }}}}{{{{ c }}}}{self.output(1)}]" + self.tag("endmacro") + f"{{{{ {call} }}}}"

    def block(self, depth):
        filters = self.pick(["", "", " | upper", " | trim | replace('a', 'b')"])
        return self.tag(f"set q{filters}") + self.body(depth - 1) + self.tag("endset") + "({{ q }})" + self.tag(f"set a, b = {self.value(0)}, {self.value(0)}") + "{{ b }}"

    def wrapped(self, depth):
        begin, end = self.pick([("with a = n, b = s", "endwith"), ("generation", "endgeneration"), ("filter upper", "endfilter"), ("raw", "endraw")])
        inside = "{{ x }} {% y %}" if begin == "raw" else "{{ a }}" + self.output(1)
        return self.tag(begin).replace("+", "") + inside + self.tag(end)

    def body(self, depth):
        parts = [lambda: self.output(2), lambda: self.output(1), lambda: "text\n", lambda: "  "]
        if depth > 0:
            parts += [lambda: self.loop(depth), lambda: self.branch(depth), lambda: self.macro(depth), lambda: self.block(depth),
                      lambda: self.wrapped(depth), lambda: self.pick(["{# note #}", "{#- note -#}\n", "\n  {# note #}\n"]),
                      lambda: self.tag(f"set y = {self.number(1)}") + "{{ y }}"]
        return "".join(self.pick(parts)() for _ in range(self.source.choice([1, 1, 2])))

    def template(self):
        if self.source.random() < 0.6:
            return f"{{{{ {self.value(self.source.choice([1, 2, 2]))} }}}}"
        return self.body(2)
