"""Messages to people: rendered from `templates/email`, queued with the change that they tell of, sent by the worker.

Owns what a message looks like (`messages`, `phrases`, a tenant's own `texts`) and in whose language it is, its way
through the outbox (`postbox`), from whom it comes (`senders`), what comes back (`bounces`), and SMTP (`smtp`). A
message is written in the caller's transaction, so that nobody is told of what did not happen, and is sealed there: the
rows hold neither an address nor a link that still opens something. Leaves to others: who is told what, and when.
"""

from idp.mail.messages import Kind as Kind
from idp.mail.phrases import What as What
from idp.mail.postbox import TOPIC as TOPIC
from idp.mail.postbox import deliver as deliver
from idp.mail.postbox import possible as possible
from idp.mail.postbox import send as send
from idp.mail.postbox import send_now as send_now
from idp.mail.smtp import Refused as Refused
