"""`Texts`: every text of the pages. Each module here is a language, named by its code.

`{...}` in a text is a place for a value.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Texts:
    """The texts of all pages in one language, whose code browsers send in `Accept-Language`."""

    code: str
    direction: str = "ltr"

    # Every page
    to_content: str
    log_in: str
    log_out: str
    register: str
    dashboard: str
    optional: str
    save: str
    cancel: str

    # /
    home_lead: str
    health: str
    healthy: str
    unhealthy: str
    documentation: str
    docs_page: str
    docs_document: str
    docs_ready: str
    docs_source: str

    # /login, /register, /logout
    email: str
    name: str
    password: str
    password_rule: str
    no_account: str
    has_account: str
    log_out_question: str
    log_out_here: str
    log_out_everywhere: str

    # /login/with/..., /login/link
    other_logins: str
    log_in_with: str
    service_failed: str
    link: str
    link_one: str
    link_question: str

    # /dashboard
    account: str
    no_name: str
    member_since: str
    change_account: str
    change_password: str
    email_needs_password: str
    current_password: str
    new_password: str
    sessions: str
    this_session: str
    session_from: str
    session_since: str
    session_used: str
    unknown_place: str
    end: str
    end_session: str
    end_others: str
    services: str
    linked_since: str
    unlink: str
    unlink_one: str
    no_password: str
    set_password: str
    book: str
    book_search: str
    book_search_label: str
    book_show_all: str
    book_add: str
    book_edit: str
    book_edit_one: str
    book_delete: str
    book_phone: str
    book_empty: str
    book_none_found: str
    book_no_name: str
    book_next: str
    book_first: str

    # Sentences after a change, by the word in the query of the page that shows them.
    done: Mapping[str, str]
    # What is wrong with a field, by the reason of the problem.
    problems: Mapping[str, str]
    other_problem: str
    # What is wrong with a form as a whole, by the code of the error.
    refusals: Mapping[str, str]
    # The titles of errors by their status, each with a sentence.
    errors: Mapping[int, tuple[str, str]]
    other_error: str
    error_id: str
    to_home: str
