"""People and messages: phone numbers, lists of recipients and texts. Knows no API."""
