"""Who a row belongs to: a signed-in user, or the anonymous visitor whose browser session made it."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from django.conf import settings
from django.db import models
from django.http import HttpRequest

VISITOR_KEY = "progress_visitor"  # in the session: kept when a visitor signs in, so what they made stays theirs


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """`user` (a primary key), `visitor` (a random id from the session), or both after a visitor signed in."""

    user: Any = None
    visitor: str = ""

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
    return Owner(user=pk, visitor=visitor)


class OwnedQuerySet(models.QuerySet[Any]):
    def for_owner(self, owner: Owner) -> Self:
        """Only the rows of `owner`; none for nobody."""
        mine = models.Q(pk__in=[])
        if owner.user is not None:
            mine |= models.Q(user=owner.user)
        if owner.visitor:
            mine |= models.Q(visitor=owner.visitor)
        return self.filter(mine)


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
