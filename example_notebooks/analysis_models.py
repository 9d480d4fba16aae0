"""The script that stands for a model in `analysis.ipynb`. `record.py` makes `analysis.jsonl` from it."""

from sessionmagic.testing import call, paced, script

DECISIONS = ["t"]
"""The first call of run_python was approved for the whole session."""


def spoken(text):
    """Return a text as it would stream from a model: word by word."""
    first, *words = text.split(" ")
    return paced([first, *(f" {word}" for word in words)], 0.01)


LOOKED = """
`raw` has **122 rows**, for days from 1 May to 28 August 2025, and four columns:

| column | what it is | to look at |
|---|---|---|
| `day` | the date, as text | should be a date |
| `warmth` | the temperature, by its values in °C | 3 values are missing |
| `rain` | whether it rained | – |
| `rides` | how many bikes were rented | the smallest is -1 |
""".strip()

PROBLEMS = """
print("repeated rows:", raw.duplicated().sum())
print("missing values:", raw.isna().sum().sum())
print(raw[raw.rides < 0].to_string(index=False))
""".strip()

CLEANING = """
Three things are wrong:

1. **2 rows are repeated.** Drop the second copy.
2. **1 day has -1 rides.** That is probably a code for "not counted". Drop the day; 0 would be a claim.
3. **3 days have no temperature.** Drop them for this question. That is 3 of 120, and they are not close together.

116 days are left. This code keeps `raw` as it is:

```python
days = raw.drop_duplicates().query("rides >= 0").dropna().reset_index(drop=True)
days["day"] = pd.to_datetime(days.day)
days["weekend"] = days.day.dt.day_name().isin(["Saturday", "Sunday"])
```
""".strip()

PLOT = """
fig, ax = plt.subplots(figsize=(5, 3))
for (weekend, rain), some in days.groupby(["weekend", "rain"]):
    label = f"{'weekend' if weekend else 'weekday'}, {'rain' if rain else 'dry'}"
    ax.scatter(some.warmth, some.rides, s=12, label=label)
ax.set(xlabel="°C", ylabel="rides")
ax.legend(fontsize=7)
plt.show()
""".strip()

PLOTTED = """
More rides on warm days, in each of the four groups. The groups lie above each other: dry weekends on top, rainy
weekdays at the bottom. So **warmth, rain and weekends** all seem to matter, and the slopes look alike.
""".strip()

GROUPS = """
print(days.groupby(["weekend", "rain"]).rides.agg(["count", "mean"]).round(1))
""".strip()

GROUPED = """
| | dry | rain |
|---|---|---|
| weekday | 141.3 (61 days) | 92.0 (24 days) |
| weekend | 176.5 (19 days) | 149.4 (12 days) |

On dry days, a weekend has **35.2 rides more**. On rainy ones it has 57.4 more, but those are few days, and they need
not have been equally warm.
""".strip()

TEST = """
chance = np.random.default_rng(21)
dry = days[~days.rain]
rides, weekend = dry.rides.to_numpy(), dry.weekend.to_numpy()
shuffled = [rides[mixed].mean() - rides[~mixed].mean() for mixed in (chance.permutation(weekend) for _ in range(2000))]
observed = rides[weekend].mean() - rides[~weekend].mean()
print(f"observed {observed:.1f}, as large by chance: {np.sum(np.abs(shuffled) >= observed)} of 2000")
""".strip()

TESTED = """
If weekends made no difference, the labels could be shuffled. I did that 2,000 times with the dry days, and not one
shuffle gave a difference as large as 35.2. So

$$p \\le \\frac{0 + 1}{2000 + 1} \\approx 0.0005$$

So chance alone **hardly explains** the difference. The test does not say that the weekend is the cause, nor how large
the difference would be on days of the same warmth.
""".strip()

EFFECTS = """
known = np.column_stack([np.ones(len(days)), days.warmth, days.rain, days.weekend]).astype(float)
effects = np.linalg.lstsq(known, days.rides.to_numpy(float), rcond=None)[0]
print(dict(zip(["base", "warmth", "rain", "weekend"], effects.round(1).tolist())))
""".strip()

FITTED = """
With all three at once, $\\text{rides} = b_0 + b_1\\,\\text{warmth} + b_2\\,\\text{rain} + b_3\\,\\text{weekend}$:

| effect | rides |
|---|---|
| one degree more | +3.9 |
| rain | -47.6 |
| a weekend | +44.5 |

These compare days that are alike in the other two. The model is linear, so do not use it beyond the temperatures that
were seen.
""".strip()

REPORT = """
**What drives bike rentals?** 116 days of summer 2025, after 2 repeated rows, 1 day without a count and 3 days without a
temperature were left out.

- Weekends have about **44.5 more rides** than other days like them, and chance alone hardly explains that.
- Days with rain have about **47.6 fewer rides**, and days that are one degree warmer about **3.9 more**.
- *Not shown:* causes, other seasons, and days beyond the temperatures that were seen.
""".strip()

script(
    "analyst-script",
    call("inspect_variable", name="raw"),
    spoken(LOOKED),
    call("run_python", code=PROBLEMS),
    spoken(CLEANING),
    call("run_python", code=PLOT),
    spoken(PLOTTED),
    call("run_python", code=GROUPS),
    spoken(GROUPED),
    call("run_python", code=TEST),
    spoken(TESTED),
    call("run_python", code=EFFECTS),
    spoken(FITTED),
    spoken(REPORT),
)
