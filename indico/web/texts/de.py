"""German."""

from __future__ import annotations

from indico.web.texts import Texts

TEXTS = Texts(
    code="de",
    to_content="Zum Inhalt springen",
    log_in="Anmelden",
    log_out="Abmelden",
    register="Konto anlegen",
    dashboard="Übersicht",
    optional="freiwillig",
    save="Speichern",
    cancel="Abbrechen",
    home_lead="Ein Server für JSON-Schnittstellen, mit Konten für Menschen und Programme.",
    health="Zustand",
    healthy="Der Server arbeitet, und seine Datenbank antwortet.",
    unhealthy="Der Server kann gerade nicht arbeiten:",
    documentation="Dokumentation",
    docs_page="Alle Aufrufe, zum Lesen und Ausprobieren",
    docs_document="Die Beschreibung der Schnittstelle (OpenAPI 3.1)",
    docs_ready="Die Zustandsprüfung für Programme",
    docs_source="Anleitungen und Entscheidungen stehen im Ordner docs des Quelltexts.",
    email="E-Mail",
    name="Name",
    password="Passwort",  # noqa: S106 - a label
    password_rule="8 bis 128 Zeichen. Kein verbreitetes Passwort.",  # noqa: S106
    no_account="Du hast noch kein Konto?",
    has_account="Du hast schon ein Konto?",
    log_out_question="Möchtest du dich abmelden?",
    log_out_here="Hier abmelden",
    log_out_everywhere="Auf allen Geräten abmelden",
    other_logins="Andere Wege zur Anmeldung",
    log_in_with="Mit {service} anmelden",
    service_failed="Das ging nicht",
    link="Verknüpfen",
    link_one="{service} verknüpfen",
    link_question="Soll {service} dich künftig am Konto {email} anmelden?",
    account="Konto",
    no_name="Kein Name",
    member_since="Konto seit {time}",
    change_account="Name oder E-Mail ändern",
    change_password="Passwort ändern",  # noqa: S106
    email_needs_password="Eine neue E-Mail braucht dein Passwort.",  # noqa: S106
    current_password="Jetziges Passwort",  # noqa: S106
    new_password="Neues Passwort",  # noqa: S106
    sessions="Sitzungen",
    this_session="diese Sitzung",
    session_from="Von {address}",
    session_since="seit {time}",
    session_used="zuletzt benutzt {time}",
    unknown_place="einer unbekannten Adresse",
    end="Beenden",
    end_session="Die Sitzung von {address} seit {time} beenden",
    end_others="Alle anderen Sitzungen beenden",
    services="Andere Wege zur Anmeldung",
    linked_since="verknüpft {time}",
    unlink="Trennen",
    unlink_one="{service} trennen",
    no_password="Dein Konto hat kein Passwort. Deine Anmeldung darf höchstens 10 Minuten alt sein.",  # noqa: S106
    set_password="Passwort festlegen",  # noqa: S106
    book="Adressbuch",
    book_search="Suchen",
    book_search_label="Name beginnt mit",
    book_show_all="Alle zeigen",
    book_add="Eintrag hinzufügen",
    book_edit="Eintrag ändern",
    book_edit_one="Ändern",
    book_delete="Löschen",
    book_phone="Telefon",
    book_empty="Dein Adressbuch ist leer.",
    book_none_found="Kein Name beginnt mit „{query}“.",
    book_no_name="Kein Name",
    book_next="Nächste Seite",
    book_first="Erste Seite",
    done={
        "registered": "Willkommen. Dein Konto ist bereit.",
        "account": "Dein Konto wurde geändert.",
        "password": "Dein Passwort wurde geändert. Alle anderen Sitzungen sind beendet.",
        "session": "Die Sitzung ist beendet.",
        "sessions": "Alle anderen Sitzungen sind beendet.",
        "book_added": "Der Eintrag wurde hinzugefügt.",
        "book_changed": "Der Eintrag wurde geändert.",
        "book_deleted": "Der Eintrag wurde gelöscht.",
        "linked": "Der Dienst ist verknüpft. Er meldet dich künftig an.",
        "unlinked": "Der Dienst ist getrennt.",
    },
    problems={
        "missing": "Bitte ausfüllen.",
        "taken": "Ein anderes Konto hat diese E-Mail.",
        "email": "Das ist keine gültige E-Mail-Adresse.",
        "password": "Wähle ein anderes Passwort: Dieses ist zu verbreitet oder zu einfach.",
        "string_too_short": "Das ist zu kurz.",
        "string_too_long": "Das ist zu lang.",
        "name": "Ein Name ist nicht leer und hat keine Steuerzeichen.",
        "state": "Diese Anmeldung begann nicht in diesem Browser, oder vor zu langer Zeit. "
        "Beginne neu.",
        "used": "Diese Anmeldung ist schon beendet. Beginne neu.",
        "refused": "Der andere Dienst hat dich nicht angemeldet. Beginne neu, oder nimm dein "
        "Passwort.",
        "answer": "Der Antwort des anderen Dienstes ist nicht zu trauen. Beginne neu.",
        "provider": "Der andere Dienst antwortet nicht. Versuche es später, oder nimm dein "
        "Passwort.",
        "not_configured": "Diesen Dienst kennt der Server nicht.",
        "no_email": "Der andere Dienst nannte keine gültige E-Mail. Lege ein Konto an, und "
        "verknüpfe den Dienst auf der Übersicht.",
        "not_linked": "Ein Konto hat diese E-Mail. Melde dich dort an, und verknüpfe den Dienst "
        "auf der Übersicht.",
        "linked": "Diese Anmeldung des anderen Dienstes gehört zu einem anderen Konto.",
        "last": "Das ist der einzige Weg zu deinem Konto. Lege erst ein Passwort fest.",
        "login_too_old": "Dein Konto hat kein Passwort. Melde dich erst neu an, und mache dies "
        "innerhalb von 10 Minuten.",
    },
    other_problem="Das kann nicht gespeichert werden.",
    refusals={
        "unauthenticated": "Die E-Mail oder das Passwort ist falsch.",
        "permission_denied": "Das Passwort ist falsch.",
        "precondition_failed": "Der Eintrag wurde inzwischen geändert. Hier ist der neue Stand.",
        "rate_limited": "Das waren zu viele Versuche. Versuche es später noch einmal.",
    },
    errors={
        403: ("Nicht erlaubt", "Das darfst du nicht. Wenn deine Sitzung endete, melde dich an."),
        404: ("Nicht gefunden", "Unter dieser Adresse gibt es nichts."),
        405: ("Keine Seite", "Diese Adresse ist für Programme."),
        429: ("Zu oft", "Das waren zu viele Anfragen. Warte etwas, und versuche es noch einmal."),
        500: ("Fehler des Servers", "Auf dem Server ging etwas schief. Es steht im Protokoll."),
        503: (
            "Nicht erreichbar",
            "Der Server kann nicht antworten. Versuche es in Sekunden neu.",
        ),
        504: ("Zu langsam", "Das hat zu lange gedauert. Versuche es noch einmal."),
    },
    other_error="Das ging nicht",
    error_id="Anfrage {id}",
    to_home="Zur Startseite",
)
