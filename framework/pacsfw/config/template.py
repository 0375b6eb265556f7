"""The configuration that ``pacsfw config init`` writes."""

SCHEMA_FILE = "pacsfw.schema.json"
"""The schema for editors, next to the configuration."""

TEMPLATE = f"""\
# yaml-language-server: $schema=./{SCHEMA_FILE}
#
# What to collect from a PACS. Lines that begin with # are comments. Keys that are
# commented out are optional; they show an example or the default.
# Relative paths start from the folder of this file. Text can contain ${{NAME}} or
# ${{NAME:-default}} (environment variables), ${{file:/run/secrets/x}}, and $$ for a dollar sign.
# Check this file with: pacsfw config check

net:
  # This computer. The PACS must know this AE title, with our address and this port.
  local_node:
    aetitle: PACSFW
    port: 11112
    # bind: 0.0.0.0
    # Who may send to us (default: anyone). See docs/receiver.md, also for TLS.
    # accept: {{calling_aetitles: [THEIRPACS], addresses: [192.0.2.0/24]}}
  # The PACS.
  called_node:
    aetitle: THEIRPACS
    ip: 192.0.2.10
    port: 104
    # charset: ISO_IR 192        # if you search for names with accents
    # max_associations: 2
    # profile: pacs.profile.yaml   # written by `pacsfw probe` for this PACS
  # Only if the PACS is to send to another AE title or port than those of local_node.
  # dest_node:
  #   aetitle: PACSFW
  #   port: 11112
  # If the PACS also has DICOMweb, for `find: use: qido`.
  # dicomweb:
  #   url: https://pacs.example.org/dicom-web
  #   username: research
  #   password: ${{PACS_PASSWORD}}

find:
  query_level: STUDY             # or PATIENT
  search_fields:                 # columns of storage.resources, as DICOM keywords
    - StudyInstanceUID
    - PatientID
  start_date: "20200101"         # YYYYMMDD or YYYY-MM-DD
  end_date: "20200131"           # inclusive; default: start_date
  modality: CT                   # default: any
  # undated: false                 # true: also studies without a date
  # filters: {{StudyDescription: "*chest*", PatientName: {{not: "Test*"}}}}
  # cohort: cohort.csv             # studies or patients to search for, one per row
  # max_studies: 50000             # stop without a list if more match
  # use: cfind                     # or qido, or folder (files on disk)

move:
  query_level: STUDY
  # Studies are requested only between these times (default: at any time).
  start_time: 20:00
  end_time: 08:00
  # days: [mon, tue, wed, thu, fri]   # the days on which the window opens
  # timezone: Europe/Zurich           # default: the zone of this computer
  # workers: 2
  # receivers: 1
  # attempts: 3
  # recheck_after: 7d

storage:
  resources: collection/resources.csv        # the study list: find writes it, you may edit it
  # resources_meta: collection/resources_meta.csv
  directory: collection/dicom
  # state: collection/dicom/.pacsfw
  # dicom_path: absolute         # or relative (to directory), in the tables
  sort_by: PATIENT               # or STUDY, SERIES, IMAGE, or a template such as
                                 # "{{PatientID}}/{{StudyDate}}/{{SOPInstanceUID}}.dcm"

# One column per entry in storage.resources_meta, one row per instance.
tags:
  - tag_name: PatientID
  - tag_name: StudyDate
    tag_alias: study_date
    callback: pacsfw.convert:str2datetime
  - tag_name: Laterality
    default_val: U               # if the tag is absent or empty
  - tag_name: StudyInstanceUID
  - tag_name: SeriesInstanceUID
  - tag_name: SOPInstanceUID

# Additional tables.
# sinks:
#   - {{use: jsonl, with: {{path: collection/rows.jsonl}}}}

# Plugins in addition to the installed ones.
# plugins:
#   load: [./my_layout.py]
"""
