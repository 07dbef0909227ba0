"""Single words the planner knows: words that carry nothing, words that mean the same, words for nations and persons."""

from __future__ import annotations

from .text import word_set

FILLER = word_set(
    """
    a an the of in on at to for from with by as and or but if then than so that this these those there here their its
    his her it they them he she i me my we us our you your is are be was were been being am do does did done doing
    have has had having can could will would shall should may might must let lets please pls plz kindly thanks thank
    just only also too very really quite about around regarding concerning respect all any some both either each every
    what which who whom whose where when why how show shows showing shown display displays displayed displaying give
    gives given giving tell list lists listed listing draw drawing drawn plot plots plotted plotting visualize
    visualise visualizing visualization visualisation visualized visualised visual graph graphs chart charts charted
    charting diagram diagrams figure figures picture illustrate illustrating illustrated illustration present presents
    presenting presented depict depicting depicts return returns returned provide provides provided providing generate
    generated make makes create creates creating build produce find finds finding get gets getting see look looks
    looking want wants need needs like know view help calculate compute computed count determine retrieve report
    reports reported reporting output print using use used via through into onto out up down off together respectively
    corresponding along well same such other another different various data dataset database information info details
    detail result results record records row rows value values entry entries item items attribute attributes column
    columns field fields category categories x y axis axes group groups grouped grouping grouby categorize
    categorizing categorized represent represents represented representing representation arrange number numbers
    amount amounts quantity total totals overall level levels one ones ask asked possible possibly able d ll ve re s t
    m isn aren wasn weren don doesn didn haven hasn won couldn now currently current still already ever most more many
    much less few several between within during over under across after before while since until per themselves itself
    who's what's there's let's question answer answers hi hello hey ok okay good nice clear simple quick quickly
    overview summary summarize summarise analysis analyze analyse analyzing exist exists existing available belong
    belongs belonging contain contains include includes included including involve involved relate related relation
    associated association come comes coming came go goes going went take takes took taken hold holds held happen
    happens happened occur occurs occurred occurring offer offers offered work works working call called name named
    names known certain specific particular respective following follow follows kind kinds sort sorts type types way
    ways terms term case cases set part parts side format form manner order ordered ordering orderly rank ranked
    ranking sorted sorting based according depending bin bins binned binning interval intervals change changes changed
    changing vary varies varying compare compared comparing comparison comparisons grow grew growth develop found no
    yes not don't without up-to-date ourselves something anything everything thing things everyone someone anyone put
    place time times average describe described describing high low highest lowest top bottom bar bars pie line lines
    scatter ascending descending asc desc proportion percentage share portion distribution trend trends sum mean max
    min maximum minimum versus vs against unique distinct separate separately individual individually single multiple
    entire whole complete wise broken break breakdown split color colour colored coloured colors legend series title
    label labels labeled labelled stack stacked horizontal vertical made have's actually basically roughly
    approximately interested curious wondering wonder think care due because whether consider considered considering
    when's give's rather instead again back next new own per-each meaning means meant say says said along's alongside
    keep keeps kept run runs ran lie lies fall falls fell reach reached bring brought serve served serves receive
    received receives among amongst obtain enumerate quantify showcase showcasing exhibit indicate indicating contrast
    supply furnish select pertaining additionally identical throughout origin's starting start starts located situated
    per-capita outcome outcomes findings illustrates compare's yet sell sells selling earn earns earned brings
    bringing generates spend spends needed first last apiece it's i'd i'm we're you're they're got gotten anywhere
    everywhere
    """
)

BOTHER = word_set("hello hi hey thanks bye goodbye poem joke story song weather write sing")

DESTRUCTIVE = word_set("delete drop update insert remove alter truncate erase modify overwrite rename wipe destroy")

PERSONS = word_set(
    "customer client person people user employee student member patient author staff worker player singer guest teacher buyer"
)

SELLING = word_set("sell sold earn make made take took bring brought turn generate")

WHO_SELLS = ("we", "i", "they", "you", "company", "shop", "business")

SYNONYMS = (
    "revenue sale turnover taking proceed earning income",
    "customer client buyer shopper purchaser consumer patron",
    "product item article goods merchandise sku",
    "country nation land",
    "category kind type class group",
    "quantity unit piece amount qty volume",
    "price cost fee charge",
    "employee staff worker personnel",
    "person individual people human",
    "carrier shipper courier forwarder",
    "segment audience",
    "discount rebate reduction markdown",
    "company firm business corporation",
    "film movie",
    "city town",
    "location place site venue",
    "address location",
    "salary wage pay earning compensation",
    "student pupil",
    "teacher instructor professor lecturer",
    "department dept division",
    "ship vessel boat",
    "year season",
    "grade mark score",
    "rating star score review",
    "rank position ranking",
    "phone telephone",
    "gender sex",
    "income earning revenue",
    "nationality citizenship",
    "area size",
    "height altitude elevation",
    "weight mass",
    "duration length",
    "distance length",
    "kind sort",
    "description summary",
    "doctor physician",
    "car vehicle automobile auto",
    "plane airplane aircraft",
    "ticket request case issue",
    "session visit",
    "return returned refund",
    "headquarter headquarters hq",
    "founder creator",
    "budget funding",
    "capacity seat",
    "purchase order buy",
    "document file",
    "channel medium",
    "author writer",
    "title name",
    "gpa grade",
    "code id identifier",
    "theme topic subject",
    "status state condition",
    "population inhabitant resident",
    "manager boss head leader",
    "profit margin gain",
    "device machine",
    "attendance visitor audience spectator",
    "origin source",
    "destination target goal",
    "apartment flat unit",
    "building house",
    "room chamber",
    "team club side",
    "player athlete",
    "match game",
    "match fixture",
    "competition contest tournament",
    "party faction",
    "singer vocalist",
    "hometown home city",
    "shop store outlet branch",
    "invoice bill",
    "payment transaction",
    "policy contract",
    "claim request",
    "job occupation profession",
    "institution organization organisation",
    "wedding marriage",
    "photo picture image",
    "supplier vendor provider",
    "warehouse depot",
    "shipment delivery consignment",
    "manufacturer maker producer",
    "brand make",
    "county district",
    "region area territory",
    "school college",
    "course class",
    "birthday birth",
    "start begin beginning",
    "end finish close",
)

SAME_NATION = (
    ("us", "usa", "united states", "america", "united states of america", "u s"),
    ("uk", "united kingdom", "great britain", "britain", "gb"),
)

NATIONS = {
    "german": "germany",
    "french": "france",
    "spanish": "spain",
    "italian": "italy",
    "polish": "poland",
    "dutch": "netherlands",
    "swedish": "sweden",
    "austrian": "austria",
    "british": "united kingdom",
    "english": "england",
    "american": "united states",
    "chinese": "china",
    "japanese": "japan",
    "indian": "india",
    "canadian": "canada",
    "australian": "australia",
    "brazilian": "brazil",
    "mexican": "mexico",
    "russian": "russia",
    "swiss": "switzerland",
    "belgian": "belgium",
    "danish": "denmark",
    "norwegian": "norway",
    "finnish": "finland",
    "irish": "ireland",
    "portuguese": "portugal",
    "greek": "greece",
    "turkish": "turkey",
    "czech": "czech republic",
    "hungarian": "hungary",
    "korean": "south korea",
    "holland": "netherlands",
}
