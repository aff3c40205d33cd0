"""Where clips and reference images come from, when they are not files of this machine: https:// and s3://."""
