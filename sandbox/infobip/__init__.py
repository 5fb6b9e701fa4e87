"""Infobip's SMS API, its logs and reports, and the account calls a connector needs.

Written from Infobip's OpenAPI description, release 3.210.0 (infobip.com/docs/api, infobip.com/docs/essentials/api-essentials).
"""
