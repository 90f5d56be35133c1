"""Maps and inputs as pictures: images, time series, and the files of a study."""
