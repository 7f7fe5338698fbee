-- A database of our own for the read model (setting `store`), apart from the sample source.
create database stagewatch;
