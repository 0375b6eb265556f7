"""Attributes that can identify a person, to mark them; nothing is removed here.

Based on the Basic Application Level Confidentiality Profile (PS3.15 table E.1-1): attributes
that it removes, empties or replaces at the top level of composite objects.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

Concern: TypeAlias = Literal["identifies", "links", ""]
"""``identifies``: a person or place; ``links``: a date, time or UID that other data share."""

_IDENTIFYING = frozenset(
    """
    PatientID IssuerOfPatientID OtherPatientIDs PatientBirthDate PatientBirthTime
    PatientAddress PatientTelephoneNumbers PatientTelecomInformation PatientSex PatientAge
    PatientSize PatientWeight PatientComments PatientState PatientReligiousPreference
    AdditionalPatientHistory MedicalRecordLocator MedicalAlerts Allergies SpecialNeeds
    EthnicGroup Occupation SmokingStatus PregnancyStatus MilitaryRank BranchOfService
    CountryOfResidence RegionOfResidence PatientSexNeutered LastMenstrualDate AccessionNumber
    IssuerOfAccessionNumberSequence StudyID AdmissionID IssuerOfAdmissionID ServiceEpisodeID
    ServiceEpisodeDescription CurrentPatientLocation PatientInstitutionResidence
    RequestedProcedureID ScheduledProcedureStepID PerformedProcedureStepID
    FillerOrderNumberImagingServiceRequest PlacerOrderNumberImagingServiceRequest
    InstitutionName InstitutionAddress InstitutionalDepartmentName RequestingService
    ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers StationName
    DeviceSerialNumber DetectorID GantryID PlateID CassetteID GeneratorID
    ScheduledStationAETitle PerformedStationAETitle PerformedStationName PerformedLocation
    RetrieveAETitle StudyDescription SeriesDescription ProtocolName DerivationDescription
    AdmittingDiagnosesDescription PerformedProcedureStepDescription
    RequestedProcedureDescription ScheduledProcedureStepDescription ReasonForStudy
    ReasonForTheRequestedProcedure RequestedProcedureComments
    CommentsOnThePerformedProcedureStep ImagingServiceRequestComments RequestedContrastAgent
    ContrastBolusAgent AcquisitionComments AcquisitionDeviceProcessingDescription
    AcquisitionProtocolDescription ImageComments StudyComments FrameComments VisitComments
    TextComments TextString InterpretationText DeviceDescription ClinicalTrialSubjectID
    ClinicalTrialSubjectReadingID ClinicalTrialSiteName
    """.split()  # noqa: SIM905 - a list of words is easier to read than one of literals
)
_DATES = frozenset({"DA", "DT", "TM"})
_DEFINED_BY_THE_STANDARD = frozenset(
    {"SOPClassUID", "MediaStorageSOPClassUID", "TransferSyntaxUID", "ImplementationClassUID"}
)
"""UIDs that name a kind, not an instance."""


def concern(keyword: str, vr: str) -> Concern:
    """Return what an attribute reveals.

    Parameters
    ----------
    keyword
        DICOM keyword (PS3.6).
    vr
        Its value representation; any person name identifies, whoever it is.
    """
    if keyword in _IDENTIFYING or vr == "PN":
        return "identifies"
    is_object = vr == "UI" and keyword not in _DEFINED_BY_THE_STANDARD
    return "links" if vr in _DATES or is_object else ""
