-- Samples of a Parquet file with a number for each series, in the order of the file.
-- {labels} and {at} are expressions of opsmith itself, chosen by the type of the column.
CREATE TEMP TABLE sample AS
SELECT
    "name"::VARCHAR AS name,
    coalesce({labels}, '') AS labels,
    coalesce({at}, 'nan'::DOUBLE) AS at_s,
    coalesce("value"::DOUBLE, 'nan'::DOUBLE) AS value
FROM read_parquet(?)
WHERE "name" IS NOT NULL;

CREATE TEMP TABLE identity AS
SELECT row_number() OVER (ORDER BY name, labels) - 1 AS number, name, labels
FROM (SELECT DISTINCT name, labels FROM sample);
