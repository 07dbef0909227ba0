"""Finding, making and continuing conversations."""

from __future__ import annotations

from django.db import IntegrityError, transaction

from progress.owners import Owner

from .models import Conversation


def conversation_for(owner: Owner, key: str) -> Conversation:
    """Return the conversation that `owner`'s client calls `key`, made where it is missing. For a thread, not for the loop."""
    own = Conversation.objects.for_owner(owner).filter(key=key)
    if (found := own.first()) is not None:
        return found  # type: ignore[no-any-return]
    try:
        with transaction.atomic():
            made: Conversation = Conversation.objects.create(user_id=owner.user, visitor=owner.visitor, key=key)
            return made
    except IntegrityError:
        return own.get()  # type: ignore[no-any-return]  # another request of the same client was faster
