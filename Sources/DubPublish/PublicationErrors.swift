public import DubCore

extension DubError.Code {
    /// The gate refused what is to be published.
    public static let publicationRefused = Self(name: "publication.refused")
    /// The run did not come to an end with this item.
    public static let publicationUnfinished = Self(name: "publication.unfinished")
    /// What is to be published is not there any more, or is not what the run made.
    public static let publicationChanged = Self(name: "publication.changed")
    /// Something else has the name that a file is to have.
    public static let publicationConflict = Self(name: "publication.conflict")
    /// Somebody else publishes or erases there.
    public static let publicationBusy = Self(name: "publication.busy")
    /// There is no such publication.
    public static let publicationMissing = Self(name: "publication.missing")
}
