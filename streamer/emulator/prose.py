"""What answers are made of: sentences out of copyright, in several scripts, and a little code of our own.

Real text matters to what is tested with it: how well it compresses, what JSON escaping does to it, and whether
characters of two, three and four bytes survive a cut between any two of them.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from streamer.emulator.ids import mixed

# Melville, Austen, Dickens, Carroll, Shelley, Thoreau, Lincoln, Poe, Doyle, Conrad, Stoker, Wells; then Kafka, Proust,
# Cervantes, Dante, Tolstoy, Confucius, Soseki and the Iliad, each in its own language.
PROSE = """\
Call me Ishmael. Some years ago, never mind how long precisely, having little or no money in my purse, and nothing \
particular to interest me on shore, I thought I would sail about a little and see the watery part of the world.
It is a way I have of driving off the spleen and regulating the circulation.
Whenever I find myself growing grim about the mouth; whenever it is a damp, drizzly November in my soul; then, I \
account it high time to get to sea as soon as I can.
It is a truth universally acknowledged, that a single man in possession of a good fortune, must be in want of a wife.
However little known the feelings or views of such a man may be on his first entering a neighbourhood, this truth is \
so well fixed in the minds of the surrounding families, that he is considered as the rightful property of some one or \
other of their daughters.
"My dear Mr. Bennet," said his lady to him one day, "have you heard that Netherfield Park is let at last?"
It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, it was \
the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of Darkness.
It is a far, far better thing that I do, than I have ever done; it is a far, far better rest that I go to than I have \
ever known.
Alice was beginning to get very tired of sitting by her sister on the bank, and of having nothing to do: once or twice \
she had peeped into the book her sister was reading, but it had no pictures or conversations in it, "and what is the \
use of a book," thought Alice "without pictures or conversations?"
"Curiouser and curiouser!" cried Alice (she was so much surprised, that for the moment she quite forgot how to speak \
good English).
You will rejoice to hear that no disaster has accompanied the commencement of an enterprise which you have regarded \
with such evil forebodings.
It was on a dreary night of November that I beheld the accomplishment of my toils.
I went to the woods because I wished to live deliberately, to front only the essential facts of life, and see if I \
could not learn what it had to teach, and not, when I came to die, discover that I had not lived.
Our life is frittered away by detail. Simplify, simplify.
Four score and seven years ago our fathers brought forth on this continent, a new nation, conceived in Liberty, and \
dedicated to the proposition that all men are created equal.
Once upon a midnight dreary, while I pondered, weak and weary, over many a quaint and curious volume of forgotten lore.
To Sherlock Holmes she is always THE woman. I have seldom heard him mention her under any other name.
"When you have eliminated the impossible, whatever remains, however improbable, must be the truth."
The sea-reach of the Thames stretched before us like the beginning of an interminable waterway.
Left Munich at 8:35 P.M., on 1st May, arriving at Vienna early next morning; should have arrived at 6:46, but \
train was an hour late.
No one would have believed in the last years of the nineteenth century that this world was being watched keenly and \
closely by intelligences greater than man's and yet as mortal as his own.
Als Gregor Samsa eines Morgens aus unruhigen Träumen erwachte, fand er sich in seinem Bett zu einem ungeheueren \
Ungeziefer verwandelt.
Longtemps, je me suis couché de bonne heure. Parfois, à peine ma bougie éteinte, mes yeux se fermaient si vite que je \
n'avais pas le temps de me dire : « Je m'endors. »
En un lugar de la Mancha, de cuyo nombre no quiero acordarme, no ha mucho tiempo que vivía un hidalgo de los de lanza \
en astillero, adarga antigua, rocín flaco y galgo corredor.
Nel mezzo del cammin di nostra vita mi ritrovai per una selva oscura, ché la diritta via era smarrita.
Все счастливые семьи похожи друг на друга, каждая несчастливая семья несчастлива по-своему.
子曰：「學而時習之，不亦說乎？有朋自遠方來，不亦樂乎？人不知而不慍，不亦君子乎？」
吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。
Μῆνιν ἄειδε, θεά, Πηληϊάδεω Ἀχιλῆος οὐλομένην, ἣ μυρί᾽ Ἀχαιοῖς ἄλγε᾽ ἔθηκε.
In short: ✅ the first point holds, ⚠️ the second needs care, and 🚀 the rest follows from E = mc² and 2 < 3 & 4 > 1.
"""

CODE = '''\
def moving_average(values: list[float], width: int) -> list[float]:
    """Means of each `width` neighbours."""
    total = sum(values[:width])
    means = [total / width]
    for gone, come in zip(values, values[width:]):
        total += come - gone
        means.append(total / width)
    return means

SELECT customer, COUNT(*) AS orders, SUM(amount) AS "total"
FROM purchases
WHERE placed_at >= '2024-01-01' AND note NOT LIKE '%\\\\_test%'
GROUP BY customer HAVING COUNT(*) > 3;

const slug = (title) =>
\ttitle.toLowerCase().replace(/[^\\w\\s-]/g, "").trim().replace(/\\s+/g, "-");

{"name": "reading", "unit": "\\u00b0C", "values": [21.5, 21.7, null], "path": "C:\\\\data\\\\r.csv"}

for file in *.jsonl; do
\twc -l < "$file" | xargs printf '%s\\t%d\\n' "$file"
done

$$\\int_0^\\infty e^{-x^2}\\,dx = \\frac{\\sqrt{\\pi}}{2}$$

<p class="note">A &amp; B, <em>then</em> C.</p>

fn gcd(a: u64, b: u64) -> u64 { if b == 0 { a } else { gcd(b, a % b) } }
'''

_PASSAGES = 128  # how many ready-made passages each style has
_PASSAGE_BYTES = 700  # about how long one is


def escaped(text: str) -> bytes:
    """`text` as it stands inside a JSON string."""
    return msgspec.json.encode(text)[1:-1]


def _passages(parts: list[str], glue: str, style: int) -> list[str]:
    """Ready-made passages: as many parts, in a seeded order, as make up the length."""
    passages = []
    for number in range(_PASSAGES):
        chosen: list[str] = []
        size = 0
        while size < _PASSAGE_BYTES:
            part = parts[mixed(style, number, len(chosen)) % len(parts)]
            chosen.append(part)
            size += len(part.encode())
        passages.append(glue.join(chosen))
    return passages


class Prose:
    """Text of any length, already escaped for JSON; the same seed gives the same text.

    Args:
        style: `text` for sentences, `code` for sentences with code between them.
    """

    def __init__(self, style: str) -> None:
        parts = PROSE.splitlines()
        if style == "code":
            parts = [f"```\n{snippet.strip()}\n```" for snippet in CODE.split("\n\n")] + parts[:6]
        glue = "\n\n" if style == "code" else " "
        self._ready = [escaped(passage + "\n\n") for passage in _passages(parts, glue, len(style))]
        self._long = b"".join(self._ready)  # for text so long that it must repeat itself anyway

    def pieces(self, size: int, *seed: int) -> Iterator[bytes]:
        """At most `size` bytes of text, in pieces; it ends with a whole word, so there may be a few bytes less."""
        number = mixed(*seed)
        while size > 2 * len(self._long):
            yield self._long
            size -= len(self._long)
        while size > 0:
            number = (number * 6364136223846793005 + 1442695040888963407) & 0xFFFFFFFFFFFFFFFF
            ready = self._ready[(number >> 40) % _PASSAGES]
            if len(ready) > size:
                yield ready[: max(0, ready.rfind(b" ", 0, size))]  # no escape and no character holds a space
                return
            yield ready
            size -= len(ready)
