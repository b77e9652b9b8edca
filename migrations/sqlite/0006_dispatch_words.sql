-- What a create is looked for by: the SHA-256 (hex) of its account, model and input. A look-up in other words finds
-- nothing, whatever has arrived. NULL: the create is older than this column.
ALTER TABLE dispatches ADD COLUMN words TEXT;
