"""Where the demo plays: units, lines, transformer districts and the people who answer for them."""

import random
from dataclasses import dataclass

from stagewatch.demo.source import Happening, Row

ORGS = {
    "33401": ("衢州供电公司", None, "city"),
    "3340101": ("柯城供电分公司", "33401", "county"),
    "3340102": ("江山供电公司", "33401", "county"),
    "3340103": ("龙游供电公司", "33401", "county"),
    "3340104": ("常山供电公司", "33401", "county"),
}
STATIONS = tuple(org for org, (_, _, level) in ORGS.items() if level == "county")
PLACES = ("城北", "城南", "新安", "廿里", "航埠", "贺村", "湖镇", "球川", "石梁", "沟溪")
SURNAMES = "王李张刘陈杨黄赵周吴徐孙胡朱高林何郭马罗"
GIVEN = ("伟", "芳", "建国", "丽华", "志强", "海燕", "明", "晓东", "秀英", "俊杰", "敏", "国庆", "婷", "立新")
FIRM_HEADS = ("浙江", "衢州", "江山", "龙游", "常山", "三衢", "南孔", "信安")
FIRM_WORDS = ("恒泰", "鑫源", "巨化", "绿野", "华友", "金石", "天合", "顺达", "永力", "开元")
FIRM_TAILS = ("机械有限公司", "纺织有限公司", "新材料股份有限公司", "食品有限公司", "物流有限公司", "数据中心有限公司")
LINES = 12
DISTRICTS = 60
MANAGERS = 18
ONLINE_SHARE = 0.4
"""Districts whose manager is told by mail."""


@dataclass(frozen=True, slots=True)
class World:
    """The rows that everything else refers to."""

    districts: tuple[Row, ...]
    managers: tuple[Row, ...]
    district_managers: tuple[Row, ...]
    supervisors: tuple[Row, ...]
    lines: tuple[Row, ...]

    def happenings(self, at: int) -> list[Happening]:
        """Give the rows' own creation, from `at` on."""
        orgs: list[Row] = [
            {"org_no": no, "org_name": name, "parent_org_no": parent, "org_level": level, "valid_from": at,
             "valid_to": None, "upd_at": at}
            for no, (name, parent, level) in ORGS.items()
        ]  # fmt: skip
        tables = {
            "ymd.ymd_org": orgs,
            "ymd.ymd_line": self.lines,
            "ymd.ymd_tg": self.districts,
            "mkt.customer_manager": self.managers,
            "mkt.tg_manager": [{**row, "valid_from": at} for row in self.district_managers],
            "mkt.stakeholder": [{**row, "valid_from": at} for row in self.supervisors],
        }
        return [Happening(at, table, "c", {**row, "upd_at": at}) for table, rows in tables.items() for row in rows]


def make_world(rng: random.Random) -> World:
    """Make the units' equipment and people."""
    lines: list[Row] = [
        {"line_no": f"L{i:02d}", "line_name": f"{PLACES[i % len(PLACES)]}{600 + i}线", "subs_no": f"S{i % 4}",
         "bay_no": f"B{i:02d}", "org_no": STATIONS[i % len(STATIONS)], "rated_amp": 400}
        for i in range(LINES)
    ]  # fmt: skip
    managers: list[Row] = [
        {"mgr_no": f"M{i:03d}", "mgr_name": person(rng), "mobile": mobile(rng), "mail": f"m{i:03d}@example.com",
         "org_no": STATIONS[i % len(STATIONS)]}
        for i in range(MANAGERS)
    ]  # fmt: skip
    districts: list[Row] = []
    responsible: list[Row] = []
    for i in range(DISTRICTS):
        manager = managers[i % MANAGERS]
        districts.append(
            {"tg_no": f"TG{i:04d}", "tg_name": f"{PLACES[i % len(PLACES)]}{i}号公变台区", "trans_no": f"T{i:04d}",
             "line_no": f"L{i % LINES:02d}", "org_no": STATIONS[i % len(STATIONS)],
             "rated_kva": rng.choice((200, 315, 400, 630)), "is_public": True}
        )  # fmt: skip
        method = "online" if rng.random() < ONLINE_SHARE else "sms"
        responsible.append(
            {"tg_no": f"TG{i:04d}", "mgr_no": manager["mgr_no"], "mgr_name": manager["mgr_name"],
             "mobile": manager["mobile"], "sup_method": method, "valid_from": None, "valid_to": None}
        )  # fmt: skip
    supervisors: list[Row] = [
        {"stakeholder_id": i, "org_no": org, "role": "unit_supervisor", "person_no": f"U{i:02d}",
         "person_name": person(rng), "mobile": mobile(rng), "mail": f"u{i:02d}@example.com", "valid_from": None,
         "valid_to": None}
        for i, org in enumerate(STATIONS, start=1)
    ]  # fmt: skip
    return World(tuple(districts), tuple(managers), tuple(responsible), tuple(supervisors), tuple(lines))


def person(rng: random.Random) -> str:
    """Invent a name."""
    return rng.choice(SURNAMES) + rng.choice(GIVEN)


def mobile(rng: random.Random) -> str:
    """Invent a mobile number."""
    return f"1{rng.choice((38, 39, 30, 31, 89, 77))}{rng.randrange(10**8):08d}"


def firm(rng: random.Random) -> str:
    """Invent a company."""
    return rng.choice(FIRM_HEADS) + rng.choice(FIRM_WORDS) + rng.choice(FIRM_TAILS)
