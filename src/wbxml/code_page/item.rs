//! Items: mail, calendars, contacts, tasks and notes.

use crate::wbxml::code_page::page;

page! {
    /// Code page 1, Contacts (MS-ASWBXML section 2.1.2.1.2).
    contacts, 1, "Contacts" {
        ANNIVERSARY = 0x05, "Anniversary";
        ASSISTANT_NAME = 0x06, "AssistantName";
        ASSISTANT_PHONE_NUMBER = 0x07, "AssistantPhoneNumber";
        BIRTHDAY = 0x08, "Birthday";
        BUSINESS2_PHONE_NUMBER = 0x0C, "Business2PhoneNumber";
        BUSINESS_ADDRESS_CITY = 0x0D, "BusinessAddressCity";
        BUSINESS_ADDRESS_COUNTRY = 0x0E, "BusinessAddressCountry";
        BUSINESS_ADDRESS_POSTAL_CODE = 0x0F, "BusinessAddressPostalCode";
        BUSINESS_ADDRESS_STATE = 0x10, "BusinessAddressState";
        BUSINESS_ADDRESS_STREET = 0x11, "BusinessAddressStreet";
        BUSINESS_FAX_NUMBER = 0x12, "BusinessFaxNumber";
        BUSINESS_PHONE_NUMBER = 0x13, "BusinessPhoneNumber";
        CAR_PHONE_NUMBER = 0x14, "CarPhoneNumber";
        CATEGORIES = 0x15, "Categories";
        CATEGORY = 0x16, "Category";
        CHILDREN = 0x17, "Children";
        CHILD = 0x18, "Child";
        COMPANY_NAME = 0x19, "CompanyName";
        DEPARTMENT = 0x1A, "Department";
        EMAIL1_ADDRESS = 0x1B, "Email1Address";
        EMAIL2_ADDRESS = 0x1C, "Email2Address";
        EMAIL3_ADDRESS = 0x1D, "Email3Address";
        FILE_AS = 0x1E, "FileAs";
        FIRST_NAME = 0x1F, "FirstName";
        HOME2_PHONE_NUMBER = 0x20, "Home2PhoneNumber";
        HOME_ADDRESS_CITY = 0x21, "HomeAddressCity";
        HOME_ADDRESS_COUNTRY = 0x22, "HomeAddressCountry";
        HOME_ADDRESS_POSTAL_CODE = 0x23, "HomeAddressPostalCode";
        HOME_ADDRESS_STATE = 0x24, "HomeAddressState";
        HOME_ADDRESS_STREET = 0x25, "HomeAddressStreet";
        HOME_FAX_NUMBER = 0x26, "HomeFaxNumber";
        HOME_PHONE_NUMBER = 0x27, "HomePhoneNumber";
        JOB_TITLE = 0x28, "JobTitle";
        LAST_NAME = 0x29, "LastName";
        MIDDLE_NAME = 0x2A, "MiddleName";
        MOBILE_PHONE_NUMBER = 0x2B, "MobilePhoneNumber";
        OFFICE_LOCATION = 0x2C, "OfficeLocation";
        OTHER_ADDRESS_CITY = 0x2D, "OtherAddressCity";
        OTHER_ADDRESS_COUNTRY = 0x2E, "OtherAddressCountry";
        OTHER_ADDRESS_POSTAL_CODE = 0x2F, "OtherAddressPostalCode";
        OTHER_ADDRESS_STATE = 0x30, "OtherAddressState";
        OTHER_ADDRESS_STREET = 0x31, "OtherAddressStreet";
        PAGER_NUMBER = 0x32, "PagerNumber";
        RADIO_PHONE_NUMBER = 0x33, "RadioPhoneNumber";
        SPOUSE = 0x34, "Spouse";
        SUFFIX = 0x35, "Suffix";
        TITLE = 0x36, "Title";
        WEB_PAGE = 0x37, "WebPage";
        YOMI_COMPANY_NAME = 0x38, "YomiCompanyName";
        YOMI_FIRST_NAME = 0x39, "YomiFirstName";
        YOMI_LAST_NAME = 0x3A, "YomiLastName";
        PICTURE = 0x3C, "Picture";
        ALIAS = 0x3D, "Alias";
        WEIGHTED_RANK = 0x3E, "WeightedRank";
    }
}

page! {
    /// Code page 2, Email (MS-ASWBXML section 2.1.2.1.3).
    email, 2, "Email" {
        ATTACHMENT = 0x05, "Attachment";
        ATTACHMENTS = 0x06, "Attachments";
        ATT_NAME = 0x07, "AttName";
        ATT_SIZE = 0x08, "AttSize";
        ATT_OID = 0x09, "AttOid";
        ATT_METHOD = 0x0A, "AttMethod";
        ATT_REMOVED = 0x0B, "AttRemoved";
        BODY = 0x0C, "Body";
        BODY_SIZE = 0x0D, "BodySize";
        BODY_TRUNCATED = 0x0E, "BodyTruncated";
        DATE_RECEIVED = 0x0F, "DateReceived";
        DISPLAY_TO = 0x11, "DisplayTo";
        IMPORTANCE = 0x12, "Importance";
        MESSAGE_CLASS = 0x13, "MessageClass";
        SUBJECT = 0x14, "Subject";
        READ = 0x15, "Read";
        TO = 0x16, "To";
        CC = 0x17, "Cc";
        FROM = 0x18, "From";
        REPLY_TO = 0x19, "ReplyTo";
        ALL_DAY_EVENT = 0x1A, "AllDayEvent";
        CATEGORIES = 0x1B, "Categories";
        CATEGORY = 0x1C, "Category";
        DT_STAMP = 0x1D, "DtStamp";
        END_TIME = 0x1E, "EndTime";
        INSTANCE_TYPE = 0x1F, "InstanceType";
        BUSY_STATUS = 0x20, "BusyStatus";
        LOCATION = 0x21, "Location";
        MEETING_REQUEST = 0x22, "MeetingRequest";
        ORGANIZER = 0x23, "Organizer";
        RECURRENCE_ID = 0x24, "RecurrenceId";
        REMINDER = 0x25, "Reminder";
        RESPONSE_REQUESTED = 0x26, "ResponseRequested";
        RECURRENCES = 0x27, "Recurrences";
        RECURRENCE = 0x28, "Recurrence";
        TYPE = 0x29, "Type";
        UNTIL = 0x2A, "Until";
        OCCURRENCES = 0x2B, "Occurrences";
        INTERVAL = 0x2C, "Interval";
        DAY_OF_WEEK = 0x2D, "DayOfWeek";
        DAY_OF_MONTH = 0x2E, "DayOfMonth";
        WEEK_OF_MONTH = 0x2F, "WeekOfMonth";
        MONTH_OF_YEAR = 0x30, "MonthOfYear";
        START_TIME = 0x31, "StartTime";
        SENSITIVITY = 0x32, "Sensitivity";
        TIME_ZONE = 0x33, "TimeZone";
        GLOBAL_OBJ_ID = 0x34, "GlobalObjId";
        THREAD_TOPIC = 0x35, "ThreadTopic";
        MIME_DATA = 0x36, "MIMEData";
        MIME_TRUNCATED = 0x37, "MIMETruncated";
        MIME_SIZE = 0x38, "MIMESize";
        INTERNET_CPID = 0x39, "InternetCPID";
        FLAG = 0x3A, "Flag";
        STATUS = 0x3B, "Status";
        CONTENT_CLASS = 0x3C, "ContentClass";
        FLAG_TYPE = 0x3D, "FlagType";
        COMPLETE_TIME = 0x3E, "CompleteTime";
        DISALLOW_NEW_TIME_PROPOSAL = 0x3F, "DisallowNewTimeProposal";
    }
}

page! {
    /// Code page 4, Calendar (MS-ASWBXML section 2.1.2.1.5).
    calendar, 4, "Calendar" {
        TIMEZONE = 0x05, "Timezone";
        ALL_DAY_EVENT = 0x06, "AllDayEvent";
        ATTENDEES = 0x07, "Attendees";
        ATTENDEE = 0x08, "Attendee";
        EMAIL = 0x09, "Email";
        NAME = 0x0A, "Name";
        BUSY_STATUS = 0x0D, "BusyStatus";
        CATEGORIES = 0x0E, "Categories";
        CATEGORY = 0x0F, "Category";
        DT_STAMP = 0x11, "DtStamp";
        END_TIME = 0x12, "EndTime";
        EXCEPTION = 0x13, "Exception";
        EXCEPTIONS = 0x14, "Exceptions";
        DELETED = 0x15, "Deleted";
        EXCEPTION_START_TIME = 0x16, "ExceptionStartTime";
        LOCATION = 0x17, "Location";
        MEETING_STATUS = 0x18, "MeetingStatus";
        ORGANIZER_EMAIL = 0x19, "OrganizerEmail";
        ORGANIZER_NAME = 0x1A, "OrganizerName";
        RECURRENCE = 0x1B, "Recurrence";
        TYPE = 0x1C, "Type";
        UNTIL = 0x1D, "Until";
        OCCURRENCES = 0x1E, "Occurrences";
        INTERVAL = 0x1F, "Interval";
        DAY_OF_WEEK = 0x20, "DayOfWeek";
        DAY_OF_MONTH = 0x21, "DayOfMonth";
        WEEK_OF_MONTH = 0x22, "WeekOfMonth";
        MONTH_OF_YEAR = 0x23, "MonthOfYear";
        REMINDER = 0x24, "Reminder";
        SENSITIVITY = 0x25, "Sensitivity";
        SUBJECT = 0x26, "Subject";
        START_TIME = 0x27, "StartTime";
        UID = 0x28, "UID";
        ATTENDEE_STATUS = 0x29, "AttendeeStatus";
        ATTENDEE_TYPE = 0x2A, "AttendeeType";
        DISALLOW_NEW_TIME_PROPOSAL = 0x33, "DisallowNewTimeProposal";
        RESPONSE_REQUESTED = 0x34, "ResponseRequested";
        APPOINTMENT_REPLY_TIME = 0x35, "AppointmentReplyTime";
        RESPONSE_TYPE = 0x36, "ResponseType";
        CALENDAR_TYPE = 0x37, "CalendarType";
        IS_LEAP_MONTH = 0x38, "IsLeapMonth";
        FIRST_DAY_OF_WEEK = 0x39, "FirstDayOfWeek";
        ONLINE_MEETING_CONF_LINK = 0x3A, "OnlineMeetingConfLink";
        ONLINE_MEETING_EXTERNAL_LINK = 0x3B, "OnlineMeetingExternalLink";
        CLIENT_UID = 0x3C, "ClientUid";
    }
}

page! {
    /// Code page 8, MeetingResponse (MS-ASWBXML section 2.1.2.1.9).
    meeting_response, 8, "MeetingResponse" {
        CALENDAR_ID = 0x05, "CalendarId";
        COLLECTION_ID = 0x06, "CollectionId";
        MEETING_RESPONSE = 0x07, "MeetingResponse";
        REQUEST_ID = 0x08, "RequestId";
        REQUEST = 0x09, "Request";
        RESULT = 0x0A, "Result";
        STATUS = 0x0B, "Status";
        USER_RESPONSE = 0x0C, "UserResponse";
        INSTANCE_ID = 0x0E, "InstanceId";
        PROPOSED_START_TIME = 0x10, "ProposedStartTime";
        PROPOSED_END_TIME = 0x11, "ProposedEndTime";
        SEND_RESPONSE = 0x12, "SendResponse";
    }
}

page! {
    /// Code page 9, Tasks (MS-ASWBXML section 2.1.2.1.10).
    tasks, 9, "Tasks" {
        CATEGORIES = 0x08, "Categories";
        CATEGORY = 0x09, "Category";
        COMPLETE = 0x0A, "Complete";
        DATE_COMPLETED = 0x0B, "DateCompleted";
        DUE_DATE = 0x0C, "DueDate";
        UTC_DUE_DATE = 0x0D, "UtcDueDate";
        IMPORTANCE = 0x0E, "Importance";
        RECURRENCE = 0x0F, "Recurrence";
        TYPE = 0x10, "Type";
        START = 0x11, "Start";
        UNTIL = 0x12, "Until";
        OCCURRENCES = 0x13, "Occurrences";
        INTERVAL = 0x14, "Interval";
        DAY_OF_MONTH = 0x15, "DayOfMonth";
        DAY_OF_WEEK = 0x16, "DayOfWeek";
        WEEK_OF_MONTH = 0x17, "WeekOfMonth";
        MONTH_OF_YEAR = 0x18, "MonthOfYear";
        REGENERATE = 0x19, "Regenerate";
        DEAD_OCCUR = 0x1A, "DeadOccur";
        REMINDER_SET = 0x1B, "ReminderSet";
        REMINDER_TIME = 0x1C, "ReminderTime";
        SENSITIVITY = 0x1D, "Sensitivity";
        START_DATE = 0x1E, "StartDate";
        UTC_START_DATE = 0x1F, "UtcStartDate";
        SUBJECT = 0x20, "Subject";
        ORDINAL_DATE = 0x22, "OrdinalDate";
        SUB_ORDINAL_DATE = 0x23, "SubOrdinalDate";
        CALENDAR_TYPE = 0x24, "CalendarType";
        IS_LEAP_MONTH = 0x25, "IsLeapMonth";
        FIRST_DAY_OF_WEEK = 0x26, "FirstDayOfWeek";
    }
}

page! {
    /// Code page 12, Contacts2 (MS-ASWBXML section 2.1.2.1.13).
    contacts2, 12, "Contacts2" {
        CUSTOMER_ID = 0x05, "CustomerId";
        GOVERNMENT_ID = 0x06, "GovernmentId";
        IM_ADDRESS = 0x07, "IMAddress";
        IM_ADDRESS2 = 0x08, "IMAddress2";
        IM_ADDRESS3 = 0x09, "IMAddress3";
        MANAGER_NAME = 0x0A, "ManagerName";
        COMPANY_MAIN_PHONE = 0x0B, "CompanyMainPhone";
        ACCOUNT_NAME = 0x0C, "AccountName";
        NICK_NAME = 0x0D, "NickName";
        MMS = 0x0E, "MMS";
    }
}

page! {
    /// Code page 17, AirSyncBase (MS-ASWBXML section 2.1.2.1.18).
    air_sync_base, 17, "AirSyncBase" {
        BODY_PREFERENCE = 0x05, "BodyPreference";
        TYPE = 0x06, "Type";
        TRUNCATION_SIZE = 0x07, "TruncationSize";
        ALL_OR_NONE = 0x08, "AllOrNone";
        BODY = 0x0A, "Body";
        DATA = 0x0B, "Data";
        ESTIMATED_DATA_SIZE = 0x0C, "EstimatedDataSize";
        TRUNCATED = 0x0D, "Truncated";
        ATTACHMENTS = 0x0E, "Attachments";
        ATTACHMENT = 0x0F, "Attachment";
        DISPLAY_NAME = 0x10, "DisplayName";
        FILE_REFERENCE = 0x11, "FileReference";
        METHOD = 0x12, "Method";
        CONTENT_ID = 0x13, "ContentId";
        CONTENT_LOCATION = 0x14, "ContentLocation";
        IS_INLINE = 0x15, "IsInline";
        NATIVE_BODY_TYPE = 0x16, "NativeBodyType";
        CONTENT_TYPE = 0x17, "ContentType";
        PREVIEW = 0x18, "Preview";
        BODY_PART_PREFERENCE = 0x19, "BodyPartPreference";
        BODY_PART = 0x1A, "BodyPart";
        STATUS = 0x1B, "Status";
        ADD = 0x1C, "Add";
        DELETE = 0x1D, "Delete";
        CLIENT_ID = 0x1E, "ClientId";
        CONTENT = 0x1F, "Content";
        LOCATION = 0x20, "Location";
        ANNOTATION = 0x21, "Annotation";
        STREET = 0x22, "Street";
        CITY = 0x23, "City";
        STATE = 0x24, "State";
        COUNTRY = 0x25, "Country";
        POSTAL_CODE = 0x26, "PostalCode";
        LATITUDE = 0x27, "Latitude";
        LONGITUDE = 0x28, "Longitude";
        ACCURACY = 0x29, "Accuracy";
        ALTITUDE = 0x2A, "Altitude";
        ALTITUDE_ACCURACY = 0x2B, "AltitudeAccuracy";
        LOCATION_URI = 0x2C, "LocationUri";
        INSTANCE_ID = 0x2D, "InstanceId";
    }
}

page! {
    /// Code page 22, Email2 (MS-ASWBXML section 2.1.2.1.23).
    email2, 22, "Email2" {
        UM_CALLER_ID = 0x05, "UmCallerID";
        UM_USER_NOTES = 0x06, "UmUserNotes";
        UM_ATT_DURATION = 0x07, "UmAttDuration";
        UM_ATT_ORDER = 0x08, "UmAttOrder";
        CONVERSATION_ID = 0x09, "ConversationId";
        CONVERSATION_INDEX = 0x0A, "ConversationIndex";
        LAST_VERB_EXECUTED = 0x0B, "LastVerbExecuted";
        LAST_VERB_EXECUTION_TIME = 0x0C, "LastVerbExecutionTime";
        RECEIVED_AS_BCC = 0x0D, "ReceivedAsBcc";
        SENDER = 0x0E, "Sender";
        CALENDAR_TYPE = 0x0F, "CalendarType";
        IS_LEAP_MONTH = 0x10, "IsLeapMonth";
        ACCOUNT_ID = 0x11, "AccountId";
        FIRST_DAY_OF_WEEK = 0x12, "FirstDayOfWeek";
        MEETING_MESSAGE_TYPE = 0x13, "MeetingMessageType";
        IS_DRAFT = 0x15, "IsDraft";
        BCC = 0x16, "Bcc";
        SEND = 0x17, "Send";
    }
}

page! {
    /// Code page 23, Notes (MS-ASWBXML section 2.1.2.1.24).
    notes, 23, "Notes" {
        SUBJECT = 0x05, "Subject";
        MESSAGE_CLASS = 0x06, "MessageClass";
        LAST_MODIFIED_DATE = 0x07, "LastModifiedDate";
        CATEGORIES = 0x08, "Categories";
        CATEGORY = 0x09, "Category";
    }
}
