"""Delivery status notifications as mail systems write them, about a message of ours."""

POSTFIX = """\
From: MAILER-DAEMON@mx.example.com (Mail Delivery System)
To: stagewatch@example.com
Subject: Undelivered Mail Returned to Sender
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="B/mx.example.com"
Message-Id: <20261122070000.0B1@mx.example.com>

This is a MIME-encapsulated message.

--B/mx.example.com
Content-Description: Notification
Content-Type: text/plain; charset=utf-8

<p-1@example.com>: host mail.example.com said: 550 5.1.1 no such user

--B/mx.example.com
Content-Description: Delivery report
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.com
X-Postfix-Queue-ID: 0B1

Final-Recipient: rfc822; p-1@example.com
Original-Recipient: rfc822;p-1@example.com
Action: ACTION
Status: 5.1.1
Remote-MTA: dns; mail.example.com
Diagnostic-Code: smtp; 550 5.1.1 <p-1@example.com>: no such user

--B/mx.example.com
Content-Description: Undelivered Message
Content-Type: message/rfc822

From: stagewatch@example.com
To: p-1@example.com
Message-ID: <MSG_ID@example.com>
Subject: x

hello
--B/mx.example.com--
"""
HEADERS_ONLY = """\
From: postmaster@example.org
Subject: Returned mail: see transcript for details
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="X"

--X
Content-Type: text/plain

The following addresses had permanent fatal errors
--X
Content-Type: message/delivery-status

Reporting-MTA: dns; example.org

Final-Recipient: RFC822; p-1@example.com
Action: ACTION
Status: 5.2.2
Diagnostic-Code: SMTP; 552 5.2.2 mailbox full
--X
Content-Type: text/rfc822-headers

Return-Path: <stagewatch@example.com>
Message-ID: <MSG_ID@example.com>
--X--
"""
OUT_OF_OFFICE = """\
From: p-1@example.com
To: stagewatch@example.com
Subject: Out of office
Auto-Submitted: auto-replied
In-Reply-To: <MSG_ID@example.com>

back on Monday
"""


def bounced(form: str, msg_id: str, action: str = "failed") -> bytes:
    """Give the notification about a message."""
    return form.replace("MSG_ID", msg_id).replace("ACTION", action).replace("\n", "\r\n").encode()
