"""Names in plain words."""

import pytest

from charts.profiling.words import Vocabulary, singular, tokens


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("order_date", ["order", "date"]),
        ("OrderDate", ["order", "date"]),
        ("orderID", ["order", "id"]),
        ("HTTPStatus", ["http", "status"]),
        ("EMP_LNAME", ["emp", "lname"]),
        ("LName", ["lname"]),
        ("line1", ["line", "1"]),
        ("order lines", ["order", "lines"]),
        ("Größe (cm)", ["größe", "cm"]),
        ("ÉtatCivil", ["état", "civil"]),
        ("客户", ["客户"]),
        ('a"b.c', ["a", "b", "c"]),
        ("__", []),
        ("", []),
    ],
)
def test_tokens(name, parts):
    assert tokens(name) == parts


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("orders", "order"),
        ("categories", "category"),
        ("boxes", "box"),
        ("classes", "class"),
        ("branches", "branch"),
        ("status", "status"),
        ("class", "class"),
        ("analysis", "analysis"),
        ("bus", "bus"),
        ("movies", "movy"),  # regular only: both sides of a comparison are treated alike
    ],
)
def test_singular(plural, one):
    assert singular(plural) == one


def words(table, column, **others):
    return Vocabulary({table: [column], **others}).column(table, column)


class TestColumns:
    @pytest.mark.parametrize(
        ("column", "expected"),
        [
            ("ship_dt", ("ship", "date")),
            ("qty", ("quantity",)),
            ("tot_amt", ("total", "amount")),
            ("dob", ("date", "of", "birth")),
            ("FName", ("first", "name")),
            ("num_of_rooms", ("number", "of", "rooms")),
            ("no_of_rooms", ("number", "of", "rooms")),
            ("invoice_no", ("invoice", "number")),
            ("no_smoking", ("no", "smoking")),
            ("hiredate", ("hire", "date")),
            ("jobcode", ("job", "code")),
            ("empno", ("employee", "number")),
            ("dno", ("d", "number")),
            ("piano", ("piano",)),
            ("update", ("update",)),
            ("candidate", ("candidate",)),
            ("discount", ("discount",)),
        ],
    )
    def test_abbreviations_and_glued_names(self, column, expected):
        assert words("t", column) == expected

    def test_the_schema_parts_its_glued_names(self):
        assert words("writes", "authorname", authors=[]) == ("author", "name")
        assert words("cites", "citingpaperid", paper=[]) == ("citing", "paper", "id")
        assert words("writes", "authorname") == ("authorname",)

    def test_a_letter_stands_for_the_table(self):
        assert words("bank", "bname") == ("bank", "name")
        assert words("Rating", "mID", Movie=[]) == ("movie", "id")
        assert words("Rating", "xID", Movie=[]) == ("x", "id")

    def test_a_prefix_that_shortens_the_table_is_learned(self):
        tables = {"COURSE": ["CRS_CODE", "CRS_TITLE"], "CLASS": ["CRS_CODE"], "STUDENT": ["StuID", "age"]}
        vocabulary = Vocabulary(tables)
        assert vocabulary.column("COURSE", "CRS_TITLE") == ("course", "title")
        assert vocabulary.column("CLASS", "CRS_CODE") == ("course", "code")
        assert vocabulary.column("STUDENT", "StuID") == ("student", "id")

    def test_a_tables_name_is_not_taken_for_a_shortened_one(self):
        tables = {"member": ["member_id"], "membership": ["member_id", "member_since"]}
        assert Vocabulary(tables).column("membership", "member_id") == ("member", "id")


def test_table_names_lose_their_kind():
    vocabulary = Vocabulary({name: [] for name in ("tbl_orders", "dimCustomer", "ref", "order lines", "sales_fact")})
    found = [vocabulary.table(name) for name in vocabulary.tables]
    assert found == [("orders",), ("customer",), ("reference",), ("order", "lines"), ("sales", "fact")]
