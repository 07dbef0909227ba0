"""General English of column names: what abbreviations stand for, and which words tell what a column is good for."""

from __future__ import annotations


def _set(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _pairs(text: str) -> dict[str, tuple[str, ...]]:
    pairs = (entry.strip().split("=") for entry in text.replace("\n", " ").split(","))
    return {short: tuple(long.split()) for short, long in pairs}


def _scales(text: str) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(scale.strip().split("/")) for scale in text.split(";"))


ABBREVIATIONS = _pairs("""
    acc=account, acct=account, addr=address, amt=amount, approx=approximate, appt=appointment, attr=attribute,
    avg=average, bal=balance, bday=birth date, bdate=birth date, bldg=building, cat=category, cnt=count, co=company,
    ctry=country, curr=currency, cust=customer, dept=department, desc=description, descr=description,
    dest=destination, dist=distance, div=division, dob=date of birth, dt=date, dur=duration, emp=employee,
    est=estimated, fname=first name, freq=frequency, govt=government, hq=headquarters, hr=hour, hrs=hours, img=image,
    init=initial, inv=invoice, lang=language, lat=latitude, lname=last name, lng=longitude, loc=location,
    lon=longitude, long=longitude, max=maximum, mfr=manufacturer, mgr=manager, mgmt=management, min=minimum,
    minit=middle initial, mins=minutes, mname=middle name, mo=month, mth=month, msg=message, nbr=number, num=number,
    no=number, nr=number, org=organization, pct=percent, perc=percent, percentage=percent, pmt=payment,
    pop=population, prev=previous, prod=product, prof=professor, pwd=password, qtr=quarter, qty=quantity,
    quant=quantity, ref=reference, reg=region, rep=representative, sal=salary, sched=schedule, secs=seconds,
    seq=sequence, ssn=social security number, std=standard, subj=subject, tel=telephone, temp=temperature, tot=total,
    trans=transaction, trx=transaction, ts=timestamp, txn=transaction, univ=university, usr=user, val=value, wk=week,
    wt=weight, ht=height, yr=year, yrs=years, zip=zip code, zipcode=zip code, postcode=postal code""")
# What glued names such as `citycode` are made of, beside the words of the schema.
COMMON = _set("""
    id no name date time code type number num year month day price cost total title status key rate size count amount
    address phone email city state country description text level class group first last start end birth order value
    score hire by of in job user ship due join item unit product customer employee account open close sale sales list
    file invoice store team death created updated modified full middle nick pay""")

ID = _set("""
    id key code uuid guid isbn issn ean upc sku barcode phone telephone fax mobile cell extension pin serial iban bic
    reference hash token vin imei ip plate""")
NUMBERED = _set("number identifier")  # an id as the last word (order number), a count as the first (number of orders)
NAME = _set("name title label caption surname nickname")
FREE_TEXT = _set("""
    description comment comments note notes detail details remark remarks body text message summary abstract bio
    biography review content feedback""")
CONTACT = _set("email mail url website homepage link address password login image photo path")
QUANTITY = _set("""
    number count total quantity amount sum sales revenue profit cost costs fee fees budget income earnings value
    volume stock turnover expense expenses spend spent salary wage payment balance loss population""")
INTENSIVE = _set("""
    price fare rate ratio percent share probability average mean median minimum maximum age score rating stars gpa
    grade temperature humidity pressure speed velocity density height width depth length weight size altitude
    elevation diameter radius voltage frequency rank ranking place position finish index margin discount interest
    quota proportion fraction lowest highest low high factor coefficient percentile efficiency accuracy years tenure
    experience""")
ORDINAL = _set("""
    number year season quarter month week weekday hour grade class level floor tier stage phase round step version edition
    generation priority severity sequence day chapter episode""")
MOMENT = _set("""
    date time datetime timestamp day at on when created updated modified opened closed started ended founded built
    established launched released born died since until from to birth begin end start creation opening expires expiry
    joined left""")
YEARLY = _set("""
    year date season cycle vintage construction renovation debut founded built established opened opening closed
    created creation launched released started ended born died birth death since""")
BOOLEAN = _set("""
    is has have can was are if flag yn indicator active enabled disabled deleted valid required allowed available
    member current approved verified visible public private paid""")
PERSON = _set("""
    advisor adviser manager supervisor boss teacher instructor professor owner author editor leader president
    representative contact host sponsor doctor physician nurse patient parent mother father employee customer user
    driver captain creator assignee reviewer agent""")
GEO = {"latitude": 90.0, "longitude": 180.0}  # largest absolute value
UNITS = (
    {name: name for name in _set("days hours minutes seconds weeks months years bytes miles knots celsius fahrenheit")}
    | {name: name for name in _set("kg km cm mm mph kmh kb mb gb ms lbs kwh")}
    | {code: code.upper() for code in _set("usd eur gbp chf jpy sek pln cad aud inr cny")}
    | {"percent": "%", "dollars": "USD", "euros": "EUR", "milliseconds": "ms", "kilograms": "kg", "kilometres": "km"}
)
# Values with an order of their own. A column is ordinal when each of its values is in one of these.
SCALES = _scales("""
    monday/tuesday/wednesday/thursday/friday/saturday/sunday; mon/tue/wed/thu/fri/sat/sun; q1/q2/q3/q4;
    january/february/march/april/may/june/july/august/september/october/november/december;
    jan/feb/mar/apr/may/jun/jul/aug/sep/oct/nov/dec; spring/summer/autumn/fall/winter;
    lowest/very low/low/normal/medium/moderate/average/high/very high/urgent/critical/highest;
    trivial/minor/moderate/major/severe/critical/blocker; xxs/xs/s/m/l/xl/xxl/xxxl;
    tiny/small/medium/large/extra large/huge; bronze/silver/gold/platinum/diamond;
    beginner/intermediate/advanced/expert; junior/mid/senior/lead/principal;
    never/rarely/sometimes/often/usually/always; morning/noon/afternoon/evening/night;
    very bad/bad/poor/fair/average/good/very good/excellent; a+/a/a-/b+/b/b-/c+/c/c-/d+/d/d-/e/f;
    strongly disagree/disagree/neutral/agree/strongly agree; first/second/third/fourth/fifth;
    freshman/sophomore/junior/senior/graduate; hourly/daily/weekly/monthly/quarterly/yearly""")
