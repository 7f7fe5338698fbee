"""One module per dialect: how other people write changes of rows. Only `schemas.decode` enters here."""
