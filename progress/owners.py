"""Who a row belongs to: a signed-in user, or the anonymous visitor whose browser session made it."""

from __future__ import annotations

import hashlib
import ipaddress
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models
from django.http import HttpRequest
from django.utils.crypto import salted_hmac

from .conf import setting

VISITOR_KEY = "progress_visitor"  # in the session: kept when a visitor signs in, so what they made stays theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """`user` (a primary key), `visitor` (a random id from the session), or both after a visitor signed in.

    `address` (a digest) is where a visitor who is not signed in asks from: for limits, it owns nothing.
    """

    user: Any = None
    visitor: str = ""
    address: str = field(default="", compare=False)

    def __bool__(self) -> bool:
        return self.user is not None or bool(self.visitor)

    @classmethod
    def of(cls, who: Any) -> Self:
        """Make an owner from an Owner, a user object, or None (nobody: only staff and the command line see such rows)."""
        if isinstance(who, cls):
            return who
        return cls(user=who.pk if who is not None and who.is_authenticated else None)


def owner_topics(owner: Owner) -> list[str]:
    """The topics of the bell that are rung when `owner` has a new run."""
    # A visitor's id is as good as a password, so other processes are told its digest only.
    visitor = [f"visitor:{hashlib.sha256(owner.visitor.encode()).hexdigest()}"] if owner.visitor else []
    return visitor if owner.user is None else [f"user:{owner.user}", *visitor]


async def request_owner(request: HttpRequest, *, create: bool = False) -> Owner:
    """Return who sends `request`. With `create`, a visitor without an id gets one (and so a session cookie)."""
    user = await request.auser()
    pk = user.pk if user.is_authenticated else None
    if getattr(request, "token", None) is not None:
        return Owner(user=pk)
    visitor = await request.session.aget(VISITOR_KEY, "")
    if create and not visitor and pk is None:
        visitor = secrets.token_urlsafe(24)
        await request.session.aset(VISITOR_KEY, visitor)
    address = address_digest(request.META.get("REMOTE_ADDR"), request.headers.get("X-Forwarded-For", ""))
    return Owner(user=pk, visitor=visitor, address=address if pk is None else "")


def address_digest(remote: str | None, forwarded: str = "") -> str:
    """Return a keyed digest of the address that a request came from: good to count by, not to learn the address from.

    `remote` is the other end of the connection, `forwarded` the header X-Forwarded-For, in which each proxy appends whom it was
    asked by: of its entries the last PROXIES are true, and anybody may have written the others.
    """
    hops = forwarded.split(",") if forwarded else []
    proxies = setting("PROXIES")
    given = (hops[-proxies] if 0 < proxies <= len(hops) else remote) or ""
    try:
        address = ipaddress.ip_address(given.strip())
    except ValueError:
        return salted_hmac("progress.address", "unknown", algorithm="sha256").hexdigest()  # these count as one
    if isinstance(address, ipaddress.IPv6Address):
        # A network gives each of its users 2**64 addresses.
        address = address.ipv4_mapped or ipaddress.ip_network((address, 64), strict=False).network_address
    return salted_hmac("progress.address", str(address), algorithm="sha256").hexdigest()


class OwnedQuerySet(models.QuerySet[Any]):
    def for_owner(self, owner: Owner) -> Self:
        """Only the rows of `owner`; none for nobody."""
        return self.filter(self.owned_by(owner))

    @staticmethod
    def owned_by(owner: Owner) -> models.Q:
        """The condition of `for_owner`."""
        mine = models.Q(pk__in=[])
        if owner.user is not None:
            mine |= models.Q(user=owner.user)
        if owner.visitor:
            mine |= models.Q(visitor=owner.visitor)
        return mine


class Owned(models.Model):
    """Base of everything that belongs to somebody. Look rows up with `objects.for_owner(owner)`, never by id alone."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, null=True, blank=True, related_name="+")
    visitor = models.CharField(max_length=64, blank=True, db_index=True, editable=False)

    if TYPE_CHECKING:
        user_id: Any

    objects = OwnedQuerySet.as_manager()

    class Meta:
        abstract = True

    @property
    def owner(self) -> Owner:
        return Owner(user=self.user_id, visitor=self.visitor)
