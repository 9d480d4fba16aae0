"""What the MCP server of the tests serves: a picture, and a form with fields of every kind."""

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGNgYPj/HwADAgH/5jHhqwAAAABJRU5ErkJggg=="
TRAVELLER = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "title": "Name", "description": "As it stands in the passport"},
        "seat": {
            "type": "string",
            "title": "Seat",
            "oneOf": [{"const": "A", "title": "On the aisle"}, {"const": "W", "title": "At the window"}],
        },
        "meals": {
            "type": "array",
            "title": "Meals",
            "items": {"anyOf": [{"const": "b", "title": "Breakfast"}, {"const": "d", "title": "Dinner"}]},
            "minItems": 1,
            "default": ["d"],
        },
        "bags": {"type": "integer", "title": "Bags, $20 for one, $30 for two", "default": 1},
        "insured": {"type": "boolean", "title": "Insured"},
        "codes": {"type": "array", "title": "Vouchers", "items": {"type": "string"}},
    },
    "required": ["name", "seat"],
}
